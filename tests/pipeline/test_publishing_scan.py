"""Secrets and paths of a machine in what is to be published: found, named by place, never shown."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.pipeline.publishing.content import content_of
from golongrl.pipeline.publishing.local_paths import paths_in, paths_in_content
from golongrl.pipeline.publishing.scan import Scan
from golongrl.pipeline.publishing.secrets import own_secrets, secrets_in

# Put together here, so that no search for secrets finds them in this file.
LETTERS = string.ascii_letters + string.digits
SECRETS = {
    "hub token": "hf_" + LETTERS[:34],
    "OpenAI or Anthropic key": "sk-" + "proj-" + LETTERS[:44] + "1A",
    "AWS key": "AKIA" + "IOSFODNN7" + "REALKEY",
    "GitHub token": "ghp_" + LETTERS[:36],
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 6,
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("around", ["{}", 'token = "{}"', "see {}.", "a\n{}\nb", "({}),"])
def test_each_kind_of_secret_is_found(kind, around):
    assert list(secrets_in(around.format(SECRETS[kind]), {})) == [kind]


def test_the_long_form_of_a_github_token_and_temporary_aws_keys():
    assert list(secrets_in("github_pat_" + LETTERS[:22] + "_" + LETTERS[:59], {})) == ["GitHub token"]
    assert list(secrets_in("ASIA" + "Z" * 16, {})) == ["AWS key"]


@pytest.mark.parametrize(
    "text",
    [
        "hf_hub_download, hf_token and hf_" + "a" * 12,
        "The risk-averse sk-learn-estimators-are-many-and-have-long-names",
        "AKIA" + "IOSFODNN7EXAMPLE" + " stands in the manual of AWS",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "ghp_short",
        "task-1A2B3C4D5E6F7G8H9I0J1K2L3M",
    ],
)
def test_what_only_looks_like_a_secret_is_left_alone(text):
    assert list(secrets_in(text, {})) == []


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(sorted(SECRETS)))
def test_a_secret_is_found_in_any_text(before, after, kind):
    # Separated, because a token that goes on in letters is another one.
    assert kind in secrets_in(f"{before} {SECRETS[kind]} {after}", {})


def test_the_secrets_of_this_process_are_known(monkeypatch, tmp_path):
    monkeypatch.setenv("SOME_API_KEY", "correct-horse-battery")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path))
    own = own_secrets()
    assert own["value of $SOME_API_KEY"] == "correct-horse-battery"
    assert not [name for name in own if "TOKENIZERS" in name or "TOKEN_FILE" in name]
    assert "value of $SOME_API_KEY" in secrets_in("key=correct-horse-battery;", own)


@pytest.mark.parametrize(
    "path",
    [
        "/home/ann/data/a.txt",
        "/Users/ann/x.md",
        "/root/project/x",
        "/tmp/build/x.json",
        "/mnt/disk1/models",
        "/scratch/a/b",
    ],
)
@pytest.mark.parametrize("around", ["{}", '"path": "{}"', "see {}.", "file://{}", "--out={} --x"])
def test_paths_of_a_machine_are_found_in_our_own_texts(path, around):
    found = list(paths_in(around.format(path)))
    assert [one.rstrip(".") for one in found] == [path]


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/home/ann/page",
        "hf://datasets/org/home/x",
        "data/train.parquet and ./tmp/x/y or ../home/ann",
        "/usr/bin/python and /etc/hosts",
        "either/or, 1/2/3, and/or",
        "{{ base }}/home/ann/x",
        "~/data/x",
    ],
)
def test_what_is_the_same_everywhere_is_no_path_of_a_machine(text):
    assert list(paths_in(text)) == []


def test_windows_paths_are_found():
    assert list(paths_in(r"C:\Users\ann\data and C:\Windows\x")) == [r"C:\Users\ann"]


def test_documents_may_write_about_paths_that_are_not_here(tmp_path):
    there = tmp_path / "docs" / "a.txt"
    there.parent.mkdir()
    there.write_text("x")
    text = "On Unix, mail lies in /home/ann/mail and logs in /tmp/log/x; see /root/.bashrc."
    assert list(paths_in_content(text)) == []
    assert list(paths_in_content(f"{text} It was read from {there}.")) == [f"{there}."]
    # A value that is nothing but a path names a source, not a subject.
    assert list(paths_in_content("/home/ann/mail/inbox.txt")) == ["/home/ann/mail/inbox.txt"]


def check(path, text):
    scan = Scan(own={})
    scan.file(path, content_of(text.encode()))
    return {one.name: one.problems for one in scan.checks()}


def test_a_find_names_file_line_and_kind_but_not_the_secret():
    token = SECRETS["hub token"]
    found = check("README.md", f"# Title\n\nlogin with {token}\nand /home/ann/x\n")
    assert found["no secrets"] == [
        "README.md holds a secret: hub token (line 3); revoke it and take it out, then run this again"
    ]
    assert found["no local paths"] == [
        "README.md names paths of a machine: /home/ann/x (line 4); take them out, or build it again with this version"
    ]
    assert token[:12] not in str(found)


def test_a_private_key_over_several_lines_is_found():
    body = "\n".join("MIIEpAIBAAKCAQEA" * 4 for _ in range(3))
    key = "-----BEGIN " + f"PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    assert "private key" in check("notes.txt", f"x\n{key}")["no secrets"][0]
    # In a row of JSON the lines are one text.
    assert "line 1, field text" in check("documents.jsonl", json.dumps({"text": key}))["no secrets"][0]


@pytest.mark.parametrize(
    "head",
    [
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n",
        "Proc-Type: 4,ENCRYPTED\r\nDEK-Info: DES-EDE3-CBC,0123456789ABCDEF\r\n\r\n",
        "Version: GnuPG v2.0.22 (GNU/Linux)\nComment: made by a-b-c - see https://example.org/a-b\n\n",
    ],
)
def test_a_private_key_behind_lines_of_a_head_is_found(head):
    key = "-----BEGIN RSA " + f"PRIVATE KEY-----\n{head}" + "MIIEpAIBAAKCAQEA" * 6 + "\n-----END RSA PRIVATE KEY-----"
    for text in (key, json.dumps({"a": key}), json.dumps(json.dumps(key))):
        assert list(secrets_in(text, {})) == ["private key"]
    assert "private key" in check("notes.txt", key)["no secrets"][0]
    # A manual shows the head and no key.
    shown = "-----BEGIN RSA " + f"PRIVATE KEY-----\n{head}...\n-----END RSA PRIVATE KEY-----"
    assert list(secrets_in(shown, {})) == []


def test_every_value_of_a_repeated_key_is_searched():
    token = SECRETS["hub token"]
    inner = f'{{"a": {{"k": "{token}", "k": 1, "k": "x"}}, "b": 2, "b": {{"c": "fine"}}}}'
    assert "hub token (line 1, field a.k)" in check("rows.jsonl", inner)["no secrets"][0]
    # Also where the text could not be found without reading the JSON.
    escaped = inner.replace("hf_", "\\u0068f_")
    assert token not in escaped
    assert "hub token (line 1, field a.k)" in check("rows.jsonl", escaped)["no secrets"][0]
    names = f'{{"{token}": 1, "{token}": 2}}'
    assert "hub token" in check("rows.jsonl", names)["no secrets"][0]


def test_rows_are_searched_by_field_and_only_some_places_are_named():
    rows = "".join(json.dumps({"meta": {"key": [SECRETS["AWS key"]]}, "n": n}) + "\n" for n in range(9))
    [problem] = check("rows.jsonl", rows)["no secrets"]
    assert "line 1, field meta.key, line 2, field meta.key, line 3, field meta.key and 6 more" in problem


def test_a_secret_between_bytes_that_are_no_text_is_found():
    for around in (b"\xff\xfe", "Müller ".encode("latin-1")):
        scan = Scan(own={})
        scan.file("README.md", content_of(around + SECRETS["AWS key"].encode() + b"\n"))
        assert [one.passed for one in scan.checks()] == [False, True]


def test_names_of_fields_and_bytes_of_a_row_are_searched():
    for row in ({SECRETS["hub token"]: 1}, {"a": [{"b": SECRETS["hub token"].encode()}]}):
        scan = Scan(own={})
        scan.value("data.parquet", "row 1", row)
        assert "hub token (row 1, " in scan.checks()[0].problems[0]
        assert SECRETS["hub token"] not in str(scan.checks()[0].problems[0].partition("(")[0])


def test_pictures_are_not_searched():
    scan = Scan(own={})
    scan.file("a.png", content_of(b"\xff\xfe" + SECRETS["AWS key"].encode()))
    assert all(one.passed for one in scan.checks())
