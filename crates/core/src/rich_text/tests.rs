//! What people write is understood, and what nobody should write harms nobody.

use super::*;

fn text(text: &str) -> Span {
    Span::Text {
        text: text.to_owned(),
    }
}

fn one(spans: Vec<Span>) -> Vec<Block> {
    vec![Block::Paragraph { spans }]
}

#[test]
fn what_people_write_is_understood() {
    let read = read(
        "# Plan\n\n**Now** or *later*, ~~never~~: `x`\n\n1. go\n2. [ ] come\n\n> he said\n\n```rust\nfn\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---",
    );
    let names: Vec<_> = read
        .blocks
        .iter()
        .map(|block| serde_json::to_value(block).expect("JSON")["block"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "heading",
            "paragraph",
            "list",
            "quote",
            "code",
            "table",
            "rule"
        ]
    );
    let Block::List { start, items } = &read.blocks[2] else {
        panic!("a list")
    };
    assert_eq!((*start, items.len()), (Some(1), 2));
    let Block::Paragraph { spans } = &read.blocks[1] else {
        panic!("a paragraph")
    };
    assert_eq!(
        spans[0],
        Span::Strong {
            spans: vec![text("Now")]
        }
    );
    assert_eq!(
        spans.last(),
        Some(&Span::Code {
            text: "x".to_owned()
        })
    );
}

#[test]
fn no_tag_and_no_address_does_anything() {
    for hostile in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- x -->",
        "&lt;script&gt;",
    ] {
        for block in read(hostile).blocks {
            let Block::Paragraph { spans } = block else {
                panic!("{hostile}")
            };
            assert!(
                spans
                    .iter()
                    .all(|span| matches!(span, Span::Text { .. } | Span::Break)),
                "{hostile}: {spans:?}"
            );
        }
    }
    for address in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "//elsewhere.example",
        "/etc",
        "undertone:c:x",
        "http:",
    ] {
        let read = read(&format!("[here]({address})"));
        assert_eq!(read.blocks, one(vec![text("here")]), "{address}");
    }
    assert_eq!(
        read("![a cat](https://tracker.example/cat.png)").blocks,
        one(vec![Span::Link {
            url: "https://tracker.example/cat.png".to_owned(),
            spans: vec![text("a cat")]
        }])
    );
}

#[test]
fn people_are_mentioned_by_their_account() {
    let ben = uri::account(&[7; 32]);
    let read = read(&format!("Kudos to [@Ben]({ben}), [@Ben]({ben})!"));
    let contact = ContactId::from_bytes(&[7; 32]);
    let mention = Span::Mention {
        contact: contact.clone(),
        name: "@Ben".to_owned(),
    };
    assert_eq!(
        read.blocks,
        one(vec![
            text("Kudos to "),
            mention.clone(),
            text(", "),
            mention,
            text("!")
        ])
    );
    assert_eq!(read.mentions, [contact]);
    // Somebody of another system is nobody here.
    let other = super::read("[@Alice](mimi://example.com/u/alice)");
    assert_eq!(other.mentions, []);
    assert_eq!(other.blocks, one(vec![text("@Alice")]));
}

#[test]
fn a_screen_of_letters_shows_where_links_lead() {
    let read = read(
        "**Go** to [my bank](https://evil.example), https://a.example or <b@c.example>\n\n- one\n- [x] two\n  1. three\n\n> he\n> said",
    );
    assert_eq!(
        as_letters(&read.blocks),
        "Go to my bank (https://evil.example), https://a.example or b@c.example\n- one\n[x] two\n    1. three\n\n> he\n> said"
    );
}

#[test]
fn too_much_is_shown_as_it_was_typed() {
    let deep = format!("{}x", "> ".repeat(200));
    assert_eq!(read(&deep).blocks, as_typed(&deep));
    let many = "*a* ".repeat(5000);
    assert_eq!(read(&many).blocks, as_typed(&many));
    let long = "*a* b ".repeat(3000);
    assert_eq!(read(&long).blocks, as_typed(&long));
    let everybody: String = (0..150_u32)
        .map(|n| {
            let mut account = [0; 32];
            account[..4].copy_from_slice(&n.to_be_bytes());
            format!("[@x]({})\n", uri::account(&account))
        })
        .collect();
    assert_eq!(read(&everybody).mentions.len(), MENTIONS);
}

#[test]
fn what_the_parser_stumbles_over_is_shown() {
    for text in ["=\n=\n=\na\n=", "a\n=\n=\n=\nb\n=\n=", "-\n-\n-\na\n-"] {
        assert!(
            as_letters(&read(text).blocks).contains(&text[..1]),
            "{text}"
        );
    }
    assert_eq!(
        read("Bye\n---\nBen").blocks,
        [
            one(vec![text("Bye")]),
            vec![Block::Rule],
            one(vec![text("Ben")])
        ]
        .concat()
    );
}

#[test]
fn nothing_is_deep_or_slow() {
    let shapes = [
        ">",
        "> ",
        "- ",
        "1. ",
        "> - ",
        "*",
        "* ",
        "_",
        "~",
        "`",
        "``a`",
        "[",
        "![",
        "]",
        "[a](",
        "![a](b",
        "*a **a ",
        "*a _b ",
        "**a*b",
        "|",
        "|-",
        "a|\n",
        "<",
        "<a:",
        "&",
        "&a;",
        "\\",
        "a_",
        "http://",
        "www.a",
        "a@b.c ",
        "a@",
        "\t",
        "    a\n",
        "\n\n- a",
        "- a\n\n  ",
        "#",
        "# a\n",
        "```\n",
        "~~~",
        "\r",
        "\n>\n",
        "\u{0}",
        "\u{2028}",
        "a\n  ",
        "a\\\n",
        "- [ ] ",
        "1) ",
        "+ ",
        "*-_ ",
        "\"",
        "(",
    ];
    // As small as any thread's that reads a message.
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let reads = small.spawn(move || {
        for shape in shapes {
            for bytes in [LONGEST, 60_000] {
                let _ = read(&shape.repeat(bytes / shape.len()));
            }
            for signs in [SIGNS, SIGNS / 2, SIGNS / 4, DEPTH] {
                let half = shape.repeat(signs / 2);
                let _ = read(&format!("{half}a{half}"));
            }
        }
    });
    let start = std::time::Instant::now();
    reads.expect("a thread").join().expect("the stack suffices");
    // A second; without the limits one shape alone takes minutes.
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}
