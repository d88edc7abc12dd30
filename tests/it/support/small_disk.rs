//! A disk that is soon full: a tmpfs of a few megabytes, which can be made larger while it is used.
//!
//! Mounting needs root. Without it the stories that need it fail and say so; `tests/run` leaves them out, loudly.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system; unmounted with the test.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts so many MiB at a folder, which is made.
    pub fn mount(at: &Path, mib: u32) -> Self {
        std::fs::create_dir_all(at).expect("a folder to mount at");
        let done = run(&[
            "-t",
            "tmpfs",
            "-o",
            &format!("size={mib}m"),
            "tmpfs",
            &at.display().to_string(),
        ]);
        assert!(
            done,
            "a tmpfs cannot be mounted here, so that nothing was shown about full disks: run this as root"
        );
        Self(at.to_owned())
    }

    /// Makes it larger, or smaller.
    pub fn resize(&self, mib: u32) {
        let size = format!("remount,size={mib}m");
        assert!(run(&["-o", &size, &self.0.display().to_string()]), "it is resized");
    }

    /// Makes it read-only, or writable again.
    pub fn protect(&self, is_protected: bool) {
        let mode = if is_protected { "remount,ro" } else { "remount,rw" };
        assert!(run(&["-o", mode, &self.0.display().to_string()]), "it is protected");
    }

    /// Somebody else takes all room that is left; gives back with what.
    pub fn fill(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut file = std::fs::File::create(&path).expect("a file of somebody else");
        let piece = vec![7_u8; 64 << 10];
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
        path
    }
}

fn run(args: &[&str]) -> bool {
    let mounted = Command::new("mount").args(args).status();
    mounted.is_ok_and(|status| status.success())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a daemon that is about to end may still hold files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
