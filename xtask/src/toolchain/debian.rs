//! rustc with its library source, and LLVM's newest BPF back end, out of Debian's packages.
//!
//! They are unpacked into a private folder: nothing is installed, no root is needed, the system's own package
//! lists stay as they are. apt checks them against Debian's archive keys.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{cache, checkout, progress};

/// The release of rustc whose library source `standard_library` knows how to edit.
pub(crate) const RUST_VERSION: &str = "1.96";
/// The first LLVM whose BPF back end takes aggregate returns and more than five arguments.
const LLVM_VERSION: &str = "23";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Suites that carry that rustc, and sid for LLVM.
const SOURCES: [&str; 3] = [
    "http://deb.debian.org/debian sid main",
    "http://deb.debian.org/debian trixie main",
    "http://deb.debian.org/debian-security bookworm-security main",
];
/// Shared libraries that both LLVMs need, down to the C library: sid's LLVM needs sid's.
const LIBRARIES: [&str; 12] = [
    "libc6",
    "libstdc++6",
    "libgcc-s1",
    "zlib1g",
    "libzstd1",
    "libxml2-16",
    "libedit2",
    "libffi8",
    "libtinfo6",
    "libbsd0",
    "libmd0",
    "libz3-4",
];

/// What was unpacked, and where.
pub(crate) struct Packages {
    folder: PathBuf,
    /// The packages' file names, versions included, one a line.
    pub(crate) versions: String,
}

impl Packages {
    /// Fetches the packages, unless the cache has them.
    pub(crate) fn ready() -> Result<Self> {
        let folder = cache::part(&format!("debian-rust-{RUST_VERSION}-llvm-{LLVM_VERSION}"), |folder| {
            check_system()?;
            fetch(folder)
        })?;
        let versions = fs::read_to_string(folder.join("versions.txt"))
            .with_context(|| format!("{} is damaged: remove it and try again", folder.display()))?;
        Ok(Self { folder, versions })
    }

    /// The folder with rustc's `bin` and `lib`.
    pub(crate) fn prefix(&self) -> PathBuf {
        self.folder.join("root/usr")
    }

    /// The private shared libraries, their dynamic loader included.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.prefix().join("lib/x86_64-linux-gnu")
    }

    /// The dynamic loader that fits the private C library.
    pub(crate) fn loader(&self) -> PathBuf {
        self.libraries().join("ld-linux-x86-64.so.2")
    }

    /// A folder with the BPF back end alone, because `sbpf-linker` opens the first `libLLVM*` it finds.
    pub(crate) fn llvm(&self) -> PathBuf {
        self.folder.join("llvm")
    }

    /// The source of Rust's standard library.
    pub(crate) fn library_source(&self) -> PathBuf {
        self.folder.join("library")
    }
}

fn check_system() -> Result<()> {
    const INSTEAD: &str = "Install Solana's own compiler instead: \
        sh -c \"$(curl -sSfL https://release.anza.xyz/stable/install)\", then `cargo-build-sbf --install-only`, \
        and run this again";
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the program can be compiled with stock Rust on x86_64 Linux only.\n{INSTEAD}"
    );
    for program in ["apt-get", "dpkg-deb", "tar"] {
        ensure!(
            checkout::find_program(program).is_some(),
            "compiling the program with stock Rust takes Debian's packages, and {program} is not here.\n{INSTEAD}"
        );
    }
    ensure!(
        Path::new(KEYRING).is_file(),
        "Debian's archive keys are missing ({KEYRING}): sudo apt-get install debian-archive-keyring"
    );
    Ok(())
}

fn fetch(folder: &Path) -> Result<()> {
    let apt = Apt::new(&folder.join("apt"))?;
    let log = folder.join("log.txt");
    progress::run("Reading Debian's package lists", apt.command("apt-get").arg("update"), &log)?;

    let rust =
        ["rustc-web", &format!("libstd-rust-web-{RUST_VERSION}"), "libstd-rust-web-dev", "rust-web-src"]
            .map(|package| format!("{package}={RUST_VERSION}*"));
    let llvms = [format!("libllvm{LLVM_VERSION}"), "libllvm22".to_owned()];
    let archives = folder.join("archives");
    cache::create_folder(&archives)?;
    let mut download = apt.command("apt-get");
    download.arg("download").args(&rust).args(&llvms).args(LIBRARIES).current_dir(&archives);
    progress::run(
        &format!(
            "Fetching rustc {RUST_VERSION} and LLVM {LLVM_VERSION} from Debian (180 MB, 0.8 GB unpacked)"
        ),
        &mut download,
        &log,
    )
    .context("Debian no longer has what the program is compiled with, or its mirror could not be read")?;

    eprintln!("Unpacking them (seconds)");
    let mut versions = Vec::new();
    let entries = fs::read_dir(&archives).context("reading the fetched packages")?;
    for entry in entries {
        let archive = entry.context("reading the fetched packages")?.path();
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("rust-web-src_") {
            unpack_library_source(&archive, folder)?;
        } else {
            let status = Command::new("dpkg-deb")
                .arg("--extract")
                .arg(&archive)
                .arg(folder.join("root"))
                .status()
                .context("running dpkg-deb")?;
            ensure!(status.success(), "{name} could not be unpacked: is the disk full?");
        }
        versions.push(name);
    }
    versions.sort();
    let llvm = folder.join("llvm");
    cache::create_folder(&llvm)?;
    let library = format!("libLLVM-{LLVM_VERSION}.so");
    std::os::unix::fs::symlink(
        Path::new("../root/usr/lib/x86_64-linux-gnu").join(&library),
        llvm.join(&library),
    )
    .context("linking LLVM's library")?;
    fs::write(folder.join("versions.txt"), versions.join("\n")).context("noting the packages' versions")?;
    cache::remove_folder(&archives)?;
    cache::remove_folder(&folder.join("apt"))
}

/// Unpacks `library` alone out of the whole of rustc's source.
fn unpack_library_source(archive: &Path, folder: &Path) -> Result<()> {
    let mut source = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(archive)
        .stdout(Stdio::piped())
        .spawn()
        .context("running dpkg-deb")?;
    let stream = source.stdout.take().context("dpkg-deb's output is not readable")?;
    let status = Command::new("tar")
        .arg("--directory")
        .arg(folder)
        .args(["--extract", "--strip-components=4", "--wildcards", "--no-wildcards-match-slash"])
        .arg("./usr/src/rustc-*/library")
        .stdin(stream)
        .status()
        .context("running tar")?;
    let source_status = source.wait().context("waiting for dpkg-deb")?;
    ensure!(
        status.success() && source_status.success() && folder.join("library/std").is_dir(),
        "{} has no library source where it was expected",
        archive.display()
    );
    Ok(())
}

/// apt with lists and sources of its own.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self> {
        for name in ["lists/partial", "cache/archives/partial"] {
            cache::create_folder(&folder.join(name))?;
        }
        let sources =
            SOURCES.map(|source| format!("deb [arch=amd64 signed-by={KEYRING}] {source}\n")).concat();
        let source_list = folder.join("sources.list");
        File::create(&source_list)
            .and_then(|mut file| std::io::Write::write_all(&mut file, sources.as_bytes()))
            .with_context(|| format!("writing {}", source_list.display()))?;
        let folder = folder.display();
        let options = [
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={folder}/lists"),
            format!("Dir::Cache={folder}/cache"),
            "Dir::State::status=/dev/null".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Architectures=amd64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
        ];
        Ok(Self { options: options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options);
        command
    }
}
