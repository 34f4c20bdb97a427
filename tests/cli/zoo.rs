//! `tools/zoo` and `tools/survey`, as far as they need no PyTorch: help, the list, and contradictory options.

use std::path::Path;
use std::process::{Command, Output};

fn zoo(args: &[&str]) -> Output {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/zoo");
    Command::new(tool).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_and_list_need_nothing_installed() {
    let help = zoo(&["--help"]);
    assert!(help.status.success(), "{}", text(&help.stderr));
    assert!(text(&help.stdout).contains("--state-dict"));
    let list = zoo(&["--list"]);
    assert!(list.status.success(), "{}", text(&list.stderr));
    assert!(text(&list.stdout).lines().any(|line| line == "resnet18"));
}

#[test]
fn wrong_options_are_refused_before_anything_is_installed() {
    for (args, said) in [
        (&[][..], "nothing to export"),
        (&["resnet18"], "-o DIR is missing"),
        (&["resnet19", "-o", "out"], "no network is called resnet19"),
        (&["resnet18", "vgg11", "-o", "out", "--state-dict", "x"], "--state-dict goes with one network"),
        (&["--onnx", "/nowhere/x.onnx", "-o", "out"], "there is no file /nowhere/x.onnx"),
        (&["resnet18", "-o", "out", "--size", "0"], "'0' is not a number from 1"),
        (&["--onnx", "x.onnx", "-o", "out", "--shape", "1x3xq"], "'1x3xq' is not a shape"),
    ] {
        let output = zoo(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_survey_knows_the_networks_by_name() {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/survey");
    let survey = |arg: &str| Command::new(&tool).arg(arg).output().unwrap();
    let help = survey("--help");
    assert!(help.status.success(), "{}", text(&help.stderr));
    assert!(text(&help.stdout).contains("usage: tools/survey"));
    let output = survey("resnet19");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no network is called resnet19"), "{}", text(&output.stderr));
}
