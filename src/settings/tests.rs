//! Settings told as stories: layers, problems, secrets, and the file that teaches.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn with_environment(pairs: &[(&str, &str)]) -> Result<Settings, Vec<SettingsProblem>> {
    let environment = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(&LoadOptions {
        environment: environment.collect(),
        ..LoadOptions::default()
    })
}

fn with_file(text: &str) -> Result<Settings, Vec<SettingsProblem>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    std::fs::write(&path, text).unwrap();
    Settings::load(&LoadOptions {
        config_file: Some(path),
        ..LoadOptions::default()
    })
}

fn words(problems: &[SettingsProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn the_file_that_teaches_holds_exactly_the_keys_that_the_code_reads() {
    let mut reader = Reader::new(Layers::merge(&LoadOptions::default()));
    let settings = Settings::read(&mut reader);
    assert_eq!(reader.out_of_step(), Vec::<String>::new());
    assert_eq!(settings, Settings::default());
}

#[test]
fn the_file_that_teaches_gives_the_defaults_when_it_is_used_as_a_file() {
    assert_eq!(with_file(DEFAULT_SETTINGS).unwrap(), Settings::default());
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = Settings::default();
    assert_eq!(settings.data_dir, PathBuf::from("data"));
    assert_eq!(settings.journal_dir(), PathBuf::from("data/journal"));
    assert_eq!(settings.state_dir(), PathBuf::from("data/state"));
    assert_eq!(settings.catalog, [PathBuf::from("config/scorecards")]);
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8484");
    assert_eq!(settings.nats.url, ["nats://127.0.0.1:4222"]);
    assert_eq!(settings.nats.auth, NatsAuth::Anonymous);
    assert_eq!(settings.ingest.max_future, Duration::from_mins(5));
    assert_eq!(settings.ingest.label_count_max, 16);
    assert_eq!(settings.projection.history, Duration::from_hours(400 * 24));
    assert_eq!(settings.journal.dedup_window, Duration::from_hours(7 * 24));
    assert_eq!(settings.warnings, Vec::<String>::new());
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    let in_folder = "data_dir = \"b\"\ncatalog = \"b\"\n[log]\nlevel = \"debug\"\n[nats]\nname = \"b\"\n";
    std::fs::write(folder.path().join("config/kpid.toml"), in_folder).unwrap();
    let named = folder.path().join("named.toml");
    std::fs::write(&named, "data_dir = \"c\"\ncatalog = [\"c\"]\n[nats]\nname = \"c\"\n").unwrap();
    let pair = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    let settings = Settings::load(&LoadOptions {
        command_defaults: vec![pair("nats.url", ""), pair("log.level", "trace")],
        folder: Some(folder.path().to_owned()),
        config_file: Some(named),
        environment: vec![pair("KPID_DATA_DIR", "d"), pair("KPID_CATALOG", "d, e")],
        overrides: vec![pair("data_dir", "f")],
    });
    let settings = settings.unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("f"), "a flag wins");
    assert_eq!(
        settings.catalog,
        [PathBuf::from("d"), PathBuf::from("e")],
        "the environment comes next"
    );
    assert_eq!(settings.nats.name, "c", "then the file named");
    assert_eq!(settings.log.level, LogLevel::Debug, "then the file in the folder");
    assert!(!settings.nats.is_on(), "then the defaults of the command");
    assert_eq!(settings.journal.block_len_max, 65_536, "last the built-in ones");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let problems = with_file("data_dri = \"x\"\n[http]\nlisen = \"y\"\n[zebra]\ncolour = 1\n").unwrap_err();
    let words = words(&problems);
    assert_eq!(problems.len(), 3, "{words}");
    assert!(
        words.contains("unknown key `data_dri`") && words.contains("did you mean `data_dir`?"),
        "{words}"
    );
    assert!(words.contains("did you mean `http.listen`?"), "{words}");
    assert!(words.contains("`kpid init` writes a file with every key"), "{words}");
    assert!(words.contains("other.toml"), "it says where: {words}");
}

#[test]
fn an_unknown_variable_is_refused_unless_it_belongs_to_the_tests() {
    let problems = with_environment(&[("KPID_HTTP_LISTEN", "x"), ("KPID_TEST_DATA", "y"), ("HOME", "z")]).unwrap_err();
    let words = words(&problems);
    assert_eq!(problems.len(), 1, "{words}");
    assert!(
        words.contains("KPID_HTTP_LISTEN") && words.contains("did you mean `http.listen`?"),
        "{words}"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_remedy() {
    let problems = with_environment(&[
        ("KPID_HTTP__LISTEN", "nowhere"),
        ("KPID_HTTP__IN_FLIGHT_MAX", "0"),
        ("KPID_INGEST__MAX_FUTURE", "5"),
        ("KPID_JOURNAL__SEGMENT_BYTES", "64 megs"),
        ("KPID_NATS__PULL_BYTES", "17MiB"),
        ("KPID_NATS__URL", "http://127.0.0.1"),
        ("KPID_NATS__SCORES", "perhaps"),
        ("KPID_NATS__INBOX_PREFIX", "a.>"),
        ("KPID_LOG__FORMAT", "xml"),
        ("KPID_DATA_DIR", ""),
        ("KPID_CATALOG", " , "),
    ])
    .unwrap_err();
    let words = words(&problems);
    assert_eq!(problems.len(), 11, "{words}");
    for part in [
        "`http.listen` is `nowhere` in the environment variable KPID_HTTP__LISTEN: give an address and a port",
        "`http.in_flight_max` is `0`",
        "a whole number from 1 to 100000",
        "`ingest.max_future` is `5`",
        "from 0ms to 1d",
        "from 64KiB to 16MiB",
        "`true` or `false`",
        "one of `text`, `json`",
    ] {
        assert!(words.contains(part), "{part} is missing in\n{words}");
    }
}

#[test]
fn a_value_of_the_wrong_type_names_key_value_and_file() {
    let problems = with_file("data_dir = [\"a\", \"b\"]\n[http]\nhosts = [1]\n").unwrap_err();
    let words = words(&problems);
    assert!(words.contains("`data_dir` is `[a, b]` in `"), "{words}");
    assert!(words.contains("`http.hosts` is `1` in `"), "{words}");
    let problems = with_file("http = 5\n").unwrap_err();
    assert!(self::words(&problems).contains("`http` is a section"), "{problems:?}");
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let problems = with_file("data_dir = \"x\"\n[http\n").unwrap_err();
    assert!(words(&problems).contains("line 2"), "{problems:?}");
    let missing = Settings::load(&LoadOptions {
        config_file: Some(PathBuf::from("/nonexistent/kpid.toml")),
        ..LoadOptions::default()
    });
    assert!(matches!(
        missing.unwrap_err().as_slice(),
        [SettingsProblem::Unreadable { .. }]
    ));
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    set_mode(&path, 0o600);
    let shown = path.display().to_string();
    let settings = with_environment(&[("KPID_HTTP__TOKEN_FILE", &shown), ("KPID_NATS__TOKEN", "t0ken")]).unwrap();
    assert_eq!(settings.http.token.reveal(), "s3cret");
    assert_eq!(settings.nats.auth, NatsAuth::Token(Secret::new("t0ken")));
    let printed = format!("{settings:?}");
    assert!(!printed.contains("s3cret") && !printed.contains("t0ken"), "{printed}");
    assert!(settings.warnings.is_empty());
}

#[test]
#[cfg(unix)]
fn a_secret_file_that_everybody_can_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret").unwrap();
    set_mode(&path, 0o644);
    let settings = with_environment(&[("KPID_HTTP__TOKEN_FILE", &path.display().to_string())]).unwrap();
    assert!(
        settings.warnings.iter().any(|warning| warning.contains("chmod 600")),
        "{:?}",
        settings.warnings
    );
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn credentials_in_an_address_are_taken_out_of_it() {
    let settings = with_environment(&[("KPID_NATS__URL", "nats://me:pw@a:4222,nats://me:pw@b:4222")]).unwrap();
    assert_eq!(settings.nats.url, ["nats://a:4222", "nats://b:4222"]);
    let password = Secret::new("pw");
    let user = "me".to_owned();
    assert_eq!(settings.nats.auth, NatsAuth::UserPassword { user, password });
    let problems = with_environment(&[("KPID_NATS__URL", "nats://me:pw@a,nats://you:pw@b")]).unwrap_err();
    assert!(words(&problems).contains("different credentials"), "{problems:?}");
    let problems = with_environment(&[("KPID_NATS__URL", "gopher://me:pw@a")]).unwrap_err();
    assert!(words(&problems).contains("gopher://***@a"), "{problems:?}");
}

#[test]
fn two_ways_to_authenticate_contradict_one_another() {
    let problems = with_environment(&[("KPID_NATS__USER", "me"), ("KPID_NATS__TOKEN", "t")]).unwrap_err();
    assert!(
        words(&problems).contains("more than one way to authenticate"),
        "{problems:?}"
    );
    let problems = with_environment(&[("KPID_NATS__PASSWORD", "p")]).unwrap_err();
    assert!(words(&problems).contains("without `nats.user`"), "{problems:?}");
    let problems = with_environment(&[("KPID_NATS__TLS_CERT_FILE", "/dev/null")]).unwrap_err();
    assert!(words(&problems).contains("set both or neither"), "{problems:?}");
}

#[test]
fn listening_to_the_world_without_a_token_is_a_warning() {
    let settings = with_environment(&[("KPID_HTTP__LISTEN", "0.0.0.0:8484")]).unwrap();
    assert_eq!(settings.warnings.len(), 1);
    let settings = with_environment(&[("KPID_HTTP__LISTEN", "0.0.0.0:8484"), ("KPID_HTTP__TOKEN", "t")]).unwrap();
    assert!(settings.warnings.is_empty());
}

#[test]
fn the_dashboard_is_where_the_settings_say_or_where_kpid_listens() {
    let listening = "127.0.0.1:5000".parse().unwrap();
    assert_eq!(Settings::default().base_url(listening), "http://127.0.0.1:5000");
    let settings = with_environment(&[("KPID_HTTP__BASE_URL", "https://kpi.example.com/")]).unwrap();
    assert_eq!(settings.base_url(listening), "https://kpi.example.com");
}

#[test]
fn catalog_files_come_by_name_over_all_folders() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (folder, name) in [
        (&one, "product.toml"),
        (&one, "readme.md"),
        (&two, "it.toml"),
        (&two, "x.toml"),
    ] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let folders = [one.path().to_owned(), two.path().to_owned()];
    let names: Vec<String> = catalog_files(&folders)
        .unwrap()
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(names, ["it.toml", "product.toml", "x.toml"]);
    std::fs::write(one.path().join("x.toml"), "").unwrap();
    assert!(words(&catalog_files(&folders).unwrap_err()).contains("`x.toml` is in more than one"));
}

#[test]
fn a_missing_or_empty_catalog_folder_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let folders = [folder.path().to_owned(), folder.path().join("missing")];
    let words = words(&catalog_files(&folders).unwrap_err());
    assert!(
        words.contains("holds no `*.toml`") && words.contains("does not exist"),
        "{words}"
    );
    assert!(words.contains("kpid init"), "{words}");
}

#[test]
fn the_settings_for_developers_hold_only_what_differs() {
    let text = include_str!("../../config/dev.toml");
    let settings = with_file(text).unwrap();
    assert!(!settings.nats.is_on());
    assert_ne!(settings, Settings::default());
    let is_default = |line: &&str| line.contains(" = ") && DEFAULT_SETTINGS.lines().any(|default| default == *line);
    let same = text.lines().filter(is_default);
    assert_eq!(same.collect::<Vec<_>>(), Vec::<&str>::new());
}
