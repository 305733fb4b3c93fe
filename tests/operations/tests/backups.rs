//! Backups of one's own PostgreSQL are proved by restoring them: to a moment, into an empty folder, and after the loss of a whole machine.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use mps_e2e::in_time;
use mps_operations_tests::{Archived, done, people, value};
use postgres::{Client, NoTls};
use serde_json::Value;

/// A member, a cashier, a card, a merchant.
type Shop = (String, String, String, String);

/// The key of each charge that was answered, and its transaction.
type Charges = BTreeSet<(String, String)>;

#[test]
fn a_database_comes_back_from_its_backups() {
    let archived = Archived::start();
    let mut database = archived.connect();
    let shops = people(&mut database, 4);
    archive_is(&archived, false, "there is no backup");
    // What an operator sets by hand is in the data folder, and so in the backup: the restored one must not archive for all that.
    value(&mut database, "alter system set archive_mode = on");
    archived.pgbackrest(&["--type=full", "backup"]);
    nobody_reads_it_without_the_passphrase(&archived);
    let before = charge(&mut database, &shops, "before", 40);
    // Of a backup's end whole seconds are known.
    in_time("a second", || {
        let status = done(&archived.backup(&["status"]));
        (status["newest"]["age_seconds"].as_u64() > Some(0)).then_some(())
    });
    let moment = value(
        &mut database,
        r#"select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#,
    );
    let segment = value(&mut database, "select pg_walfile_name(pg_current_wal_insert_lsn())");
    let after = charge(&mut database, &shops, "after", 20);
    // What is sealed so far; the last ones are not, as always.
    assert_ne!(value(&mut database, "select app.seal_rows(app.uuid_v7_floor(clock_timestamp()), 4000)"), "0");
    archived.pgbackrest(&["--type=diff", "backup"]);
    let later = charge(&mut database, &shops, "later", 4);
    all_is_archived(&mut database);
    archive_is(&archived, true, "");
    done(&archived.backup(&["verify"]));

    to_a_moment(&archived, &moment, &before, &shops[0]);
    a_trial_leaves_nothing(&archived);
    wrong_books_are_told(&archived, &mut database);
    what_is_refused_changes_nothing(&archived, &moment);
    a_damaged_repository_is_found(&archived, &moment, &segment);
    an_archive_that_fails_is_told(&archived, &mut database);
    let all: Charges = before.union(&after).chain(&later).cloned().collect();
    the_whole_machine_is_lost(&archived, database, &shops, all);
}

/// Charges of one cent, one after the other, each of its own key.
fn charge(database: &mut Client, shops: &[Shop], name: &str, count: usize) -> Charges {
    (0..count)
        .map(|index| charge_once(database, &shops[index % shops.len()], &format!("{name}-{index:04}")))
        .collect()
}

fn charge_once(database: &mut Client, shop: &Shop, key: &str) -> (String, String) {
    let (member, cashier, _, merchant) = shop;
    let code = value(database, &format!("select fx.code('{member}')"));
    let mut transaction = database.transaction().expect("a transaction");
    transaction.query("select fx.act_as($1::text::uuid)", &[cashier]).expect("the cashier");
    let query = "select tx_no from public.merchant_charge_by_qr($1, $2, 0.01, $3)";
    let number: String = transaction.query_one(query, &[merchant, &code, &key]).expect("a charge").get(0);
    transaction.commit().expect("it is answered");
    (key.to_owned(), number)
}

fn booked(database: &mut Client) -> Charges {
    let query =
        "select k.key, t.tx_no from app.idempotency_keys k join app.transactions t on t.id = k.result_id";
    let rows = database.query(query, &[]).expect("the books");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn all_is_archived(database: &mut Client) {
    let segment = value(database, "select pg_walfile_name(pg_switch_wal())");
    in_time("the archive", || {
        let newest = value(database, "select left(last_archived_wal, 24) from pg_stat_archiver");
        (newest >= segment).then_some(())
    });
}

/// What `mps backup status` says, once it says it.
fn archive_is(archived: &Archived, is_well: bool, why: &str) {
    in_time("the right status", || {
        let output = archived.backup(&["status"]);
        let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        let is_right = answer["findings"].to_string().contains(why) && answer["ok"] == is_well;
        (is_right && output.status.code() == Some(i32::from(!is_well))).then_some(())
    });
}

fn nobody_reads_it_without_the_passphrase(archived: &Archived) {
    let all = files(&archived.at("repository"));
    let is_encrypted = |path: &&PathBuf| fs::read(path).expect("a file").starts_with(b"Salted__");
    let open: Vec<_> = all.iter().filter(|path| !is_encrypted(path)).collect();
    assert!(all.len() > 5 && open.is_empty(), "{open:?}");
}

/// All that was answered before it, and nothing after.
fn to_a_moment(archived: &Archived, moment: &str, before: &Charges, shop: &Shop) {
    let answer = done(&archived.restore(moment, "restored", &[]));
    println!("restored to a moment: {}", answer["seconds"]);
    assert_eq!((&answer["ok"], &answer["running"]), (&Value::Bool(true), &Value::Bool(true)));
    let newest = before.iter().map(|(_, number)| number).max().expect("a charge");
    assert_eq!(answer["books"]["newest_transaction"]["tx_no"], newest.as_str());
    let mut restored = connect(archived, "restored", &answer);
    assert_eq!(&booked(&mut restored), before);
    let (_, number) = charge_once(&mut restored, shop, "new");
    assert!(number.as_str() > "PAY0100000000", "{number} may be on somebody's receipt");
    assert_eq!(value(&mut restored, "select current_setting('archive_mode')"), "off");
    assert_eq!(value(&mut restored, "select pg_is_in_recovery()"), "f");
    drop(restored);
    let on_loopback = format!("postgres://postgres@127.0.0.1:{}/postgres", port(&answer));
    assert!(Client::connect(&on_loopback, NoTls).is_err(), "nobody comes in without a password");
    let history = archived.at("restored/pg_wal/archive_status/00000002.history.ready");
    assert!(history.exists(), "the archive learns of the new timeline");
    stop(archived, "restored");
}

/// To what was restored there, and runs.
fn connect(archived: &Archived, data: &str, answer: &Value) -> Client {
    let place = socket(archived, data);
    let mut restored = Client::configure();
    restored
        .host_path(place.parent().expect("a folder"))
        .port(port(answer))
        .user("postgres")
        .dbname("postgres");
    restored.connect(NoTls).expect("it runs")
}

/// With the folder of its socket.
fn stop(archived: &Archived, data: &str) {
    let place = socket(archived, data);
    archived.ctl_at(data, &["-m", "fast", "-w", "stop"]);
    fs::remove_dir_all(place.parent().expect("a folder")).expect("its socket's folder");
}

fn port(answer: &Value) -> u16 {
    answer["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port")
}

/// Where its socket is, by its own file.
fn socket(archived: &Archived, data: &str) -> PathBuf {
    let file = fs::read_to_string(archived.at(data).join("postmaster.pid")).expect("it runs");
    let lines: Vec<&str> = file.lines().collect();
    Path::new(lines[4]).join(format!(".s.PGSQL.{}", lines[3]))
}

fn a_trial_leaves_nothing(archived: &Archived) {
    let answer = done(&archived.restore("latest", "trial", &["--check-only"]));
    println!("the weekly trial: {}", answer["seconds"]);
    assert_eq!(answer["running"], false);
    assert!(answer["books"]["counts"]["seals"].as_u64() > Some(0), "{answer}");
    assert!(!archived.at("trial").exists());
}

/// What triggers let nobody do.
const UNTRIGGERED: &str = "do $$ declare v_table regclass; begin
    for v_table in select c.oid::regclass from pg_catalog.pg_class c
      where c.relkind in ('r', 'p') and c.relnamespace = 'app'::regnamespace loop
      execute format('alter table %s {state} trigger all', v_table);
    end loop; end; $$";

const TAMPERED: &str =
    "create table sec.kept_tag as select t.id, t.tag from app.transactions t order by t.id limit 1;
    create table sec.kept as table sec.secrets;
    update app.cards set balance = balance + 1 where id = (select min(c.id::text)::uuid from app.cards c);
    update app.transactions t set tag = '{\"a\": 1}' from sec.kept_tag k where t.id = k.id;
    delete from sec.secrets";
const MENDED: &str =
    "update app.cards set balance = balance - 1 where id = (select min(c.id::text)::uuid from app.cards c);
    update app.transactions t set tag = k.tag from sec.kept_tag k where t.id = k.id;
    insert into sec.secrets table sec.kept;
    drop table sec.kept, sec.kept_tag";

/// A balance, a sealed transaction and the key of codes.
fn wrong_books_are_told(archived: &Archived, database: &mut Client) {
    let mut change = |statements: &str| {
        let [off, on] = ["disable", "enable"].map(|state| UNTRIGGERED.replace("{state}", state));
        database.batch_execute(&format!("begin; {off}; {statements}; {on}; commit")).expect("a superuser");
        all_is_archived(database);
    };
    change(TAMPERED);
    let output = archived.restore("latest", "wrong", &["--check-only"]);
    for why in
        ["verify_ledger: ", "verify_seals: 1 app.transactions", "no master key of payment codes can be read"]
    {
        refused(&output, why);
    }
    assert!(archived.at("wrong").exists(), "it stays to be looked into");
    fs::remove_dir_all(archived.at("wrong")).expect("what is wrong");
    change(MENDED);
}

fn refused(output: &Output, why: &str) {
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
}

fn what_is_refused_changes_nothing(archived: &Archived, moment: &str) {
    archived.make("full");
    fs::write(archived.at("full/PG_VERSION"), "15").expect("a file");
    refused(&archived.restore(moment, "full", &[]), "is not empty, and nothing was changed");
    assert_eq!(fs::read_dir(archived.at("full")).expect("a folder").count(), 1);
    // The one that runs.
    refused(&archived.restore(moment, "data", &[]), "is not empty, and nothing was changed");
    refused(&archived.restore("2001-01-01T00:00:00Z", "early", &[]), "the oldest backup is of");
    refused(&archived.restore("2901-01-01T00:00:00Z", "late", &[]), "is yet to come");
    if let Some(output) = archived.backup_as_root(&["status"]) {
        refused(&output, "not as root");
    }
    assert!(!archived.at("early").exists() && !archived.at("late").exists());
}

/// Of an encrypted file: with another one nothing of it is readable.
const OF_THE_SALT: usize = 12;

/// One bit of a backup, of the newest segment, of the segment that holds the moment.
fn a_damaged_repository_is_found(archived: &Archived, moment: &str, segment: &str) {
    archived.keep("repository", "kept");
    let whole = |archived: &Archived| {
        fs::remove_dir_all(archived.at("repository")).expect("the damaged one");
        archived.keep("kept", "repository");
    };
    let full = largest(&archived.at("repository/backup/mps"), |path| path.contains("F/bundle/"));
    flip(&full);
    refused(&archived.backup(&["verify"]), "the repository is not whole");
    refused(&archived.restore(moment, "damaged", &[]), "pgbackrest did not restore it");
    fs::remove_dir_all(archived.at("damaged")).expect("what there is of it");
    whole(archived);

    // The newest segment: PostgreSQL takes it for the end of the archive, and goes on without it.
    let newest = newest_segment(&archived.at("repository/archive/mps"));
    flip_unnoticed(archived, &newest);
    refused(&archived.backup(&["verify"]), "the repository is not whole");
    refused(&archived.restore("latest", "short", &["--check-only"]), "before the end of the archive");
    assert!(archived.at("short").exists(), "what is wrong stays to be looked into");
    fs::remove_dir_all(archived.at("short")).expect("what there is of it");
    whole(archived);

    let holding = segments(&archived.at("repository/archive/mps"));
    let holding = holding.iter().find(|path| path.display().to_string().contains(&format!("/{segment}-")));
    flip_at(holding.expect("the one that holds the moment"), OF_THE_SALT);
    refused(&archived.restore(moment, "torn", &["--check-only"]), "the archive does not reach");
    fs::remove_dir_all(archived.at("torn")).expect("what there is of it");
    whole(archived);
    done(&archived.backup(&["verify"]));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

fn largest(folder: &Path, is_meant: impl Fn(&str) -> bool) -> PathBuf {
    let mut found = files(folder);
    found.retain(|path| is_meant(&path.display().to_string()));
    found.into_iter().max_by_key(|path| fs::metadata(path).expect("a file").len()).expect("a file")
}

/// The oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = files(folder);
    found.retain(|path| path.extension().is_some_and(|kind| kind == "zst"));
    found.sort();
    found
}

fn newest_segment(folder: &Path) -> PathBuf {
    segments(folder).pop().expect("a segment")
}

fn flip(path: &Path) {
    let length = fs::metadata(path).expect("a file").len();
    flip_at(path, usize::try_from(length).expect("a small file") / 2);
}

/// So that it still unpacks, into something else.
fn flip_unnoticed(archived: &Archived, path: &Path) {
    let length = usize::try_from(fs::metadata(path).expect("a file").len()).expect("a small file");
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    for index in (length / 2..length - 64).step_by(7) {
        flip_at(path, index);
        if archived.can_get(&name[..24]) {
            return;
        }
        flip_at(path, index);
    }
    panic!("every bit is noticed");
}

fn flip_at(path: &Path, index: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[index] ^= 1;
    fs::write(path, bytes).expect("a file");
}

fn an_archive_that_fails_is_told(archived: &Archived, database: &mut Client) {
    let right = value(database, "show archive_command");
    archived.archive_by(database, "false");
    let finish = "select pg_switch_wal() from (select pg_logical_emit_message(true, 'mps', 'x')) one";
    value(database, finish);
    archive_is(archived, false, "the archive command fails");
    // Says that it is done, and is not.
    archived.archive_by(database, "true");
    archive_is(archived, false, "the repository does not have it");
    archived.archive_by(database, &right);
    // What was thrown away is in no archive: only a new backup makes good for it.
    archived.pgbackrest(&["--type=full", "backup"]);
    archive_is(archived, true, "");
}

/// While shops charge: what is back is at least what was archived, and at most a minute is gone.
fn the_whole_machine_is_lost(archived: &Archived, mut database: Client, shops: &[Shop], mut sure: Charges) {
    let (begin, mut last) = (Instant::now(), Vec::new());
    while begin.elapsed() < Duration::from_secs(40) {
        let key = format!("last-{:05}", last.len());
        let done = charge_once(&mut database, &shops[last.len() % shops.len()], &key);
        // The segment that its commit is in, or one after it.
        let segment = value(&mut database, "select pg_walfile_name(pg_current_wal_insert_lsn())");
        last.push((Instant::now(), segment, done));
        thread::sleep(Duration::from_millis(20));
    }
    let archived_until = value(&mut database, "select left(last_archived_wal, 24) from pg_stat_archiver");
    archived.lose();
    let lost_at = Instant::now();
    drop(database);
    let answer = done(&archived.restore("latest", "again", &[]));
    let mut restored = connect(archived, "again", &answer);
    let back = booked(&mut restored);
    let is_archived = |segment: &String| *segment <= archived_until;
    sure.extend(
        last.iter().filter(|(_, segment, _)| is_archived(segment)).map(|(.., charge)| charge.clone()),
    );
    let mut answered = sure.clone();
    answered.extend(last.iter().map(|(.., charge)| charge.clone()));
    assert!(last.first().is_some_and(|(_, segment, _)| is_archived(segment)), "nothing of it was archived");
    assert!(
        back.is_subset(&answered) && sure.is_subset(&back),
        "all that was archived is back, and nothing else"
    );
    let newest = last.iter().filter(|(.., charge)| back.contains(charge)).map(|(at, ..)| *at).max();
    println!(
        "the whole machine: {} of {} answered charges are back; {:?} before its end are lost; {}",
        back.len(),
        answered.len(),
        newest.map(|at| lost_at - at),
        answer["seconds"]
    );
    drop(restored);
    stop(archived, "again");
}
