//! Stories in virtual time, told by `tests/scenarios/*.scenario`, each with its golden transcript beside it.

mod chance;
mod script;
mod thousand;

use script::Script;
pub(crate) use script::{START, nobody, terms};

#[test]
fn every_scenario_goes_as_its_transcript_says() {
    insta::glob!("../scenarios", "*.scenario", |path| {
        let text = std::fs::read_to_string(path).expect("a scenario is readable");
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let transcript = Script::parse(&text).unwrap_or_else(|fault| panic!("{name}: {fault}")).play();
        let mut beside = insta::Settings::clone_current();
        beside.remove_snapshot_suffix();
        beside.set_snapshot_path("../scenarios");
        beside.set_prepend_module_to_snapshot(false);
        beside.set_omit_expression(true);
        beside.bind(|| insta::assert_snapshot!(name, transcript));
    });
}
