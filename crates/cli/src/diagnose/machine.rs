//! What this machine has for MPS: disk and certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::statvfs;
use x509_cert::Certificate;

use super::{Finding, found};

/// Of a hundred.
const FREE_MIN: u64 = 10;
/// certbot renews a month before.
const CERTIFICATE_DAYS_MIN: u64 = 14;

/// Those that are nearly full. One that is not there is none of this installation's.
pub(super) fn disks(folders: &[PathBuf]) -> Vec<Finding> {
    folders.iter().filter(|folder| folder.exists()).filter_map(|folder| disk(folder)).collect()
}

fn disk(folder: &Path) -> Option<Finding> {
    let place = folder.display();
    let Ok(disk) = statvfs(folder) else {
        return Some(found("machine", format!("the disk of {place} does not answer"), "`df`, `dmesg`"));
    };
    let of_blocks = disk.f_bavail * 100 / disk.f_blocks.max(1);
    // Some file systems do not count files.
    let of_files = (disk.f_favail * 100).checked_div(disk.f_files).unwrap_or(100);
    let free = of_blocks.min(of_files);
    let fix = "`du -x --max-depth 2`: logs are rotated by deploy/systemd, releases by `mps deploy --keep`.";
    (free < FREE_MIN).then(|| found("machine", format!("the disk of {place} has {free} % free"), fix))
}

/// Whether nginx's certificate will still be right for a while.
pub(super) fn certificate(file: &str) -> Option<Finding> {
    let fix = "`certbot renew`, then `systemctl reload mps-nginx`; `certbot certificates` says why it was not renewed.";
    let not_after = match fs::read(file).map(|pem| end_of(&pem)) {
        Ok(Some(not_after)) => not_after,
        Ok(None) => return Some(found("machine", format!("{file} is no certificate in PEM"), fix)),
        Err(error) => {
            let as_who = "Run this as somebody who may read it, or look at where `proxy.certificate` points.";
            return Some(found("machine", format!("{file} cannot be read: {error}"), as_who));
        }
    };
    match not_after.duration_since(SystemTime::now()) {
        Err(_) => Some(found("machine", format!("the certificate {file} is out of date"), fix)),
        Ok(left) if left.as_secs() / 86400 < CERTIFICATE_DAYS_MIN => {
            let days = left.as_secs() / 86400;
            Some(found("machine", format!("the certificate {file} is right for {days} days only"), fix))
        }
        Ok(_) => None,
    }
}

/// Of the first one: the server's own, before its chain.
fn end_of(pem: &[u8]) -> Option<SystemTime> {
    let chain = Certificate::load_pem_chain(pem).ok()?;
    Some(chain.first()?.tbs_certificate.validity.not_after.to_system_time())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use std::time::Duration;

    use super::*;

    fn certificate_for(days: u64) -> String {
        let mut params = CertificateParams::new(vec!["pay.example".to_owned()]).unwrap();
        let (key, now) = (KeyPair::generate().unwrap(), SystemTime::now());
        params.not_before = (now - Duration::from_hours(9600)).into();
        params.not_after =
            if days == 0 { now - Duration::from_mins(1) } else { now + Duration::from_hours(24 * days + 1) }
                .into();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_certificate_that_ends_soon_is_found_and_one_that_does_not_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fullchain.pem");
        let path = file.to_str().unwrap();
        let said = |text: &str| {
            fs::write(&file, text).unwrap();
            certificate(path).map(|finding| finding.what)
        };
        assert_eq!(said(&certificate_for(15)), None);
        assert!(said(&certificate_for(13)).is_some_and(|what| what.ends_with("13 days only")));
        assert!(said(&certificate_for(0)).is_some_and(|what| what.ends_with("out of date")));
        // The server's own comes first.
        let both = certificate_for(3) + &certificate_for(300);
        assert!(said(&both).is_some_and(|what| what.ends_with("3 days only")));
        assert!(said("-").is_some_and(|what| what.contains("no certificate")));
        fs::remove_file(&file).unwrap();
        assert!(certificate(path).is_some_and(|finding| finding.what.contains("cannot be read")));
    }

    #[test]
    fn a_disk_with_room_is_fine_and_a_folder_that_is_not_there_is_not_asked() {
        assert_eq!(disks(&[PathBuf::from("/there/is/no/such/folder")]), []);
        // Nothing is free in there, ever.
        assert_eq!(disks(&[PathBuf::from("/proc")]).len(), 1);
    }
}
