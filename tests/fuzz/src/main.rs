//! What libFuzzer drives: the target that `MPS_FUZZ_TARGET` names, beginning with its seeds in the folder `MPS_FUZZ_CORPUS`.
#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls us by names of C")]

use std::sync::OnceLock;
use std::{env, fs};

use libfuzzer_sys::fuzz_target;
use mps_fuzz::{Target, find, seeds};

static TARGET: OnceLock<&Target> = OnceLock::new();

fn start() -> &'static Target {
    let name = env::var("MPS_FUZZ_TARGET").unwrap_or_default();
    let target = find(&name).unwrap_or_else(|| panic!("MPS_FUZZ_TARGET={name}: no such target"));
    if let Some(folder) = env::var_os("MPS_FUZZ_CORPUS") {
        let folder = std::path::PathBuf::from(folder);
        for (number, seed) in seeds::parse(target.seeds).iter().enumerate() {
            let file = folder.join(format!("seed-{number:03}"));
            fs::write(&file, seed).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
        }
    }
    target
}

fuzz_target!(
    init: {
        TARGET.get_or_init(start);
    },
    |data: &[u8]| (TARGET.get_or_init(start).run)(data)
);
