//! What needs nothing but the program itself: help, completions, manual pages.

use std::process::{Command, Output};

use clap::CommandFactory;
use session_reaper::cli::Cli;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_session-reaper")).args(arguments).output().expect("the program starts")
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_version_names_the_commit() {
    let commit = env!("SESSION_REAPER_COMMIT");
    assert!(!commit.is_empty());
    assert_eq!(printed(&["--version"]), format!("session-reaper {} ({commit})\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_command_explains_itself() {
    for command in commands() {
        let help = printed(&[&command, "--help"]);
        assert!(help.contains(&format!("Usage: session-reaper {command}")), "{help}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
    }
    assert_eq!(run(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn the_manual_has_a_section_for_every_command() {
    let page = printed(&["man"]);
    assert_eq!(page.lines().filter(|line| line.starts_with(".TH ")).count(), 1);
    for command in commands() {
        let title = format!(".SH \"SESSION-REAPER {}\"", command.to_uppercase());
        assert!(page.lines().any(|line| line == title), "{title} is missing");
    }
}

#[test]
fn manual_pages_are_written_one_per_command() {
    let dir = tempfile::tempdir().expect("a folder");
    printed(&["man", "--dir", &dir.path().display().to_string()]);
    for command in commands() {
        let page = dir.path().join(format!("session-reaper-{command}.1"));
        assert!(page.is_file(), "{}", page.display());
    }
    assert_eq!(run(&["man", "--dir", "/nowhere/at/all"]).status.code(), Some(1));
}
