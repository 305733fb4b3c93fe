//! What the renderer does with an overlay, and what it refuses.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::{name_of, render, without_version};

const HEAD: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
const POD: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\nspec:\n  replicas: 1\n  template:\n    spec:\n      \
                   initContainers: [{ image: a }]\n      containers: [{ image: b:1 }, { image: a:0 }]\n";

/// What an overlay that says this makes of a base with that in it.
fn rendered(overlay: &str, base: &str) -> Result<Vec<serde_json::Value>> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| -> Result<()> {
        let path: PathBuf = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        Ok(fs::write(path, text)?)
    };
    write("base/kustomization.yaml", &format!("{HEAD}resources: [objects.yaml]\n"))?;
    write("base/objects.yaml", base)?;
    write("overlay/kustomization.yaml", &format!("{HEAD}resources: [../base]\n{overlay}"))?;
    render(&folder.path().join("overlay"))
}

fn refusal(overlay: &str, base: &str) -> String {
    rendered(overlay, base).err().map_or_else(|| "it was taken".to_owned(), |error| format!("{error:#}"))
}

#[test]
fn namespace_images_and_patches_are_applied() -> Result<()> {
    let overlay = "namespace: n\nimages:\n- { name: a, newName: r:5000/a, newTag: 1.0.2 }\n- { name: b, digest: 'sha256:0' }\npatches:\n\
                   - target: { kind: Deployment, name: a }\n  patch: |-\n    - { op: replace, path: /spec/replicas, value: 3 }\n";
    let base = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: base }}\n---\n{POD}");
    let objects = rendered(overlay, &base)?;
    assert_eq!(objects.iter().map(name_of).collect::<Vec<_>>(), ["Namespace n", "Deployment a"]);
    assert_eq!(objects[1]["metadata"], json!({"name": "a", "namespace": "n"}));
    assert_eq!(objects[1]["spec"]["replicas"], 3);
    let pod = &objects[1]["spec"]["template"]["spec"];
    assert_eq!(pod["initContainers"], json!([{"image": "r:5000/a:1.0.2"}]));
    assert_eq!(pod["containers"], json!([{"image": "b@sha256:0"}, {"image": "r:5000/a:1.0.2"}]));
    Ok(())
}

#[test]
fn what_it_does_not_know_of_kustomize_is_refused_by_name() {
    for (overlay, name) in [
        ("namePrefix: x-\n", "namePrefix"),
        ("configMapGenerator: [{ name: a }]\n", "configMapGenerator"),
        ("patchesStrategicMerge: [a.yaml]\n", "patchesStrategicMerge"),
        ("images: [{ name: a, tagSuffix: b }]\n", "tagSuffix"),
        ("patches: [{ path: a.yaml }]\n", "path"),
        ("patches: [{ target: { kind: Deployment, labelSelector: a }, patch: '[]' }]\n", "labelSelector"),
        (
            "patches: [{ target: { kind: Deployment, name: a }, patch: '[{ op: remove, path: /spec }]' }]\n",
            "remove",
        ),
        (
            "patches: [{ target: { kind: Deployment, name: a }, patch: '{ spec: { replicas: 2 } }' }]\n",
            "patch of Deployment a",
        ),
    ] {
        let refusal = refusal(overlay, POD);
        assert!(refusal.contains(name), "{overlay}: {refusal}");
    }
}

#[test]
fn what_would_have_no_effect_is_refused() {
    let replicas = "patch: '[{ op: replace, path: /spec/replicas, value: 2 }]'";
    for (overlay, why) in [
        (format!("patches: [{{ target: {{ kind: Deployment, name: b }}, {replicas} }}]\n"), "no Deployment b"),
        (
            "patches: [{ target: { kind: Deployment, name: a }, patch: '[{ op: replace, path: /spec/x, value: 2 }]' }]\n".to_owned(),
            "no /spec/x",
        ),
        ("images: [{ name: c, newTag: '1' }]\n".to_owned(), "image c"),
    ] {
        let refusal = refusal(&overlay, POD);
        assert!(refusal.contains(why), "{overlay}: {refusal}");
    }
}

#[test]
fn objects_that_cannot_be_placed_are_refused() {
    assert!(
        refusal("namespace: n\n", "kind: ClusterRole\nmetadata: { name: a }\n").contains("ClusterRole a")
    );
    assert!(refusal("", &format!("{POD}---\n{POD}")).contains("two of Deployment a"));
    assert!(refusal("", "- a\n").contains("no object"));
    assert!(refusal("", "").contains("no object"));
    assert!(refusal("resources: [https://example.com/a.yaml]\n", POD) != "it was taken");
}

#[test]
fn an_image_has_its_name_before_tag_and_digest() {
    assert_eq!(without_version("mps"), "mps");
    assert_eq!(without_version("r:5000/mps"), "r:5000/mps");
    assert_eq!(without_version("r:5000/mps:1.0"), "r:5000/mps");
    assert_eq!(without_version("r:5000/mps:1.0@sha256:0"), "r:5000/mps");
}
