//! An overlay of deploy/kubernetes as `kubectl kustomize` renders it. Of kustomize there is here what the overlays use; anything else is
//! refused by name, and never passed over.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Kinds that live in a namespace. Of another one it is not known here; `Namespace` itself takes the name.
const NAMESPACED: &[&str] = &[
    "ConfigMap",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kustomization {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    resources: Vec<String>,
    #[serde(default)]
    images: Vec<Image>,
    #[serde(default)]
    patches: Vec<Patch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Image {
    name: String,
    new_name: Option<String>,
    new_tag: Option<String>,
    digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    target: Target,
    /// A list of operations in YAML.
    patch: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    kind: String,
    name: String,
}

/// Of JSON Patch (RFC 6902).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    op: Op,
    path: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Replace,
}

/// `Deployment mps-edge`: there is one of each in a namespace.
pub(super) fn name_of(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// All objects of a folder with a kustomization.yaml.
pub(super) fn render(folder: &Path) -> Result<Vec<Value>> {
    let file = folder.join("kustomization.yaml");
    let kustomization: Kustomization =
        parse(&read(&file)?).with_context(|| format!("{} is not understood", file.display()))?;
    let objects = kustomization.objects(folder);
    objects.with_context(|| format!("cannot render {}", folder.display()))
}

/// The objects of a text of YAML or JSON.
pub(super) fn objects_of(text: &str) -> Result<Vec<Value>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| anyhow!("{error}"))?;
    if let Some(other) = objects.iter().find(|object| !object.is_object()) {
        bail!("{other} is no object");
    }
    Ok(objects)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| anyhow!("{error}"))
}

impl Kustomization {
    fn objects(&self, folder: &Path) -> Result<Vec<Value>> {
        ensure!(
            self.api_version == "kustomize.config.k8s.io/v1beta1" && self.kind == "Kustomization",
            "it is a {} of {}",
            self.kind,
            self.api_version
        );
        let mut objects = Vec::new();
        for resource in &self.resources {
            let path = folder.join(resource);
            if path.is_dir() {
                objects.extend(render(&path)?);
            } else {
                let found = objects_of(&read(&path)?).with_context(|| resource.clone())?;
                ensure!(!found.is_empty(), "{resource} has no object");
                objects.extend(found);
            }
        }
        self.patches.iter().try_for_each(|patch| patch.apply(&mut objects))?;
        if let Some(namespace) = &self.namespace {
            objects.iter_mut().try_for_each(|object| put_into(object, namespace))?;
        }
        self.images.iter().try_for_each(|image| image.apply(&mut objects))?;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for object in &objects {
            *counts.entry(name_of(object)).or_default() += 1;
        }
        if let Some((name, _)) = counts.iter().find(|(_, count)| **count > 1) {
            bail!("there are two of {name}");
        }
        Ok(objects)
    }
}

fn put_into(object: &mut Value, namespace: &str) -> Result<()> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let field = match kind.as_str() {
        "Namespace" => "name",
        kind if NAMESPACED.contains(&kind) => "namespace",
        _ => bail!("{}: it is not known here whether that kind has a namespace", name_of(object)),
    };
    object["metadata"][field] = namespace.into();
    Ok(())
}

impl Patch {
    /// kustomize says nothing of a target that is not there; here it is an error.
    fn apply(&self, objects: &mut [Value]) -> Result<()> {
        let Target { kind, name } = &self.target;
        let is_target =
            |object: &&mut Value| object["kind"] == **kind && object["metadata"]["name"] == **name;
        let object =
            objects.iter_mut().find(is_target).with_context(|| format!("there is no {kind} {name}"))?;
        let operations: Vec<Operation> =
            parse(&self.patch).with_context(|| format!("the patch of {kind} {name} is not understood"))?;
        for Operation { op: Op::Replace, path, value } in operations {
            let place = object.pointer_mut(&path).with_context(|| format!("{kind} {name} has no {path}"))?;
            *place = value;
        }
        Ok(())
    }
}

impl Image {
    fn apply(&self, objects: &mut [Value]) -> Result<()> {
        let mut is_used = false;
        for image in objects.iter_mut().flat_map(images_of) {
            let Some(text) = image.as_str().filter(|text| without_version(text) == self.name) else {
                continue;
            };
            let version = text[self.name.len()..].to_owned();
            let version = match (&self.digest, &self.new_tag) {
                (Some(digest), None) => format!("@{digest}"),
                (None, Some(tag)) => format!(":{tag}"),
                (None, None) => version,
                (Some(_), Some(_)) => bail!("the image {} has both a tag and a digest", self.name),
            };
            *image = format!("{}{version}", self.new_name.as_ref().unwrap_or(&self.name)).into();
            is_used = true;
        }
        ensure!(is_used, "no container has the image {}", self.name);
        Ok(())
    }
}

fn images_of(object: &mut Value) -> Vec<&mut Value> {
    let mut found = Vec::new();
    let Some(pod) = object.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else {
        return found;
    };
    for (_, containers) in pod.iter_mut().filter(|(key, _)| *key == "containers" || *key == "initContainers")
    {
        let containers = containers.as_array_mut().into_iter().flatten();
        found.extend(containers.filter_map(|container| container.get_mut("image")));
    }
    found
}

/// `registry:5000/mps` of `registry:5000/mps:1.0` and of `registry:5000/mps@sha256:…`.
pub(super) fn without_version(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    image[name..].find(':').map_or(image, |colon| &image[..name + colon])
}

#[cfg(test)]
mod tests;
