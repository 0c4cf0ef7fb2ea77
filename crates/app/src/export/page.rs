//! One page of an exported chat. Every text goes through [`Html::text`], which escapes it; tags are this file's own.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest as _, Sha256};
use undertone_core::{
    MessageInfo, MessageKind,
    rich_text::{Block, ListItem, Span},
};

use super::{Extras, Kept};
use crate::terminal::width;

const STYLE: &str = include_str!("style.css");

/// What a browser might run when it is opened from the disk.
const ACTIVE: &[&str] = &[
    "hta", "htm", "html", "js", "mht", "mhtml", "mjs", "shtml", "svg", "svgz", "swf", "xht",
    "xhtml", "xml", "xsl", "xslt",
];

/// A page to be written.
pub(super) struct What<'a> {
    pub(super) name: &'a str,
    pub(super) number: usize,
    pub(super) count: usize,
    pub(super) left_out: u64,
    pub(super) now_ms: i64,
    pub(super) lines: &'a [MessageInfo],
    pub(super) extras: &'a Extras,
}

/// The page's own name.
pub(super) fn page_name(number: usize) -> String {
    if number == 1 {
        "index.html".to_owned()
    } else {
        format!("page-{number}.html")
    }
}

/// A name of our own for a file: a number, and the ending of the name that it came with, if that is a plain one. What a browser would run
/// is called a text.
pub(super) fn file_name(number: u64, suggested: &str) -> String {
    let ending = suggested
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .filter(|ending| {
            (1..=8).contains(&ending.len())
                && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    match ending {
        Some(ending) if ACTIVE.contains(&ending.as_str()) => format!("{number:05}.{ending}.txt"),
        Some(ending) => format!("{number:05}.{ending}"),
        None => format!("{number:05}.bin"),
    }
}

/// Markup in the making.
#[derive(Default)]
struct Html(String);

impl Html {
    /// A tag or other markup of ours.
    fn tag(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text of anybody's, in an element or in an attribute in double quotes.
    fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No part of HTML; and what turns the direction of text round hides what a line says.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
                '\n' | '\t' => self.0.push(character),
                character if character.is_control() => {}
                character => self.0.push(character),
            }
        }
        self
    }

    fn number(&mut self, number: impl std::fmt::Display) -> &mut Self {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{number}");
        self
    }
}

/// The hash that the policy names, so that no other style counts.
fn style_hash(style: &str) -> String {
    format!(
        "sha256-{}",
        data_encoding::BASE64.encode(&Sha256::digest(style))
    )
}

fn moment(at_ms: i64, format: &str) -> String {
    Timestamp::from_millisecond(at_ms)
        .map(|at| at.to_zoned(TimeZone::system()).strftime(format).to_string())
        .unwrap_or_default()
}

/// The whole page.
pub(super) fn page(what: &What<'_>) -> String {
    let mut html = Html::default();
    html.tag("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .tag("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src '")
        .tag(&style_hash(STYLE))
        .tag("'; base-uri 'none'; form-action 'none'\">\n")
        .tag("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
        .text(what.name)
        .tag("</title>\n<style>")
        .tag(STYLE)
        .tag("</style>\n</head>\n<body>\n<main>\n<header>\n<h1>")
        .text(what.name)
        .tag("</h1>\n<p>Exported from Undertone on ")
        .text(&moment(what.now_ms, "%-d %B %Y, %H:%M"))
        .tag("</p>\n<p class=\"warning\">These pages and files are not encrypted: whoever can read this folder can read the conversation. Nothing that disappears there disappears here.");
    if what.left_out > 0 {
        html.tag(" Left out, because they disappear: ")
            .number(what.left_out)
            .tag(if what.left_out == 1 {
                " message."
            } else {
                " messages."
            });
    }
    html.tag("</p>\n</header>\n");
    pages(&mut html, what);
    let mut day = String::new();
    for line in what.lines {
        let today = moment(line.sent_ms, "%A, %-d %B %Y");
        if today != day {
            html.tag("<h2>").text(&today).tag("</h2>\n");
            day = today;
        }
        one_line(&mut html, line, what.extras);
    }
    pages(&mut html, what);
    html.tag("</main>\n</body>\n</html>\n");
    html.0
}

fn pages(html: &mut Html, what: &What<'_>) {
    if what.count == 1 {
        return;
    }
    html.tag("<nav>");
    for number in 1..=what.count {
        if number == what.number {
            html.tag("<b>").number(number).tag("</b>");
        } else {
            html.tag("<a href=\"")
                .tag(&page_name(number))
                .tag("\">")
                .number(number)
                .tag("</a>");
        }
    }
    html.tag("</nav>\n");
}

fn one_line(html: &mut Html, line: &MessageInfo, extras: &Extras) {
    if line.kind != MessageKind::Message {
        html.tag("<p class=\"notice\">")
            .text(&line.text)
            .tag("</p>\n");
        return;
    }
    html.tag(if line.mine {
        "<article class=\"mine\" id=\"m"
    } else {
        "<article id=\"m"
    })
    .number(line.local_id)
    .tag("\">\n");
    if !line.mine {
        html.tag("<p class=\"who\">")
            .text(&line.sender_name)
            .tag("</p>\n");
    }
    if line.deleted {
        html.tag("<p class=\"gone\">This message was deleted.</p>\n");
    } else {
        if line.forwarded {
            html.tag("<p class=\"gone\">Forwarded</p>\n");
        }
        quote(html, line);
        for file in &line.attachments {
            attachment(html, line, file, extras);
        }
        if let Some(card) = &line.card {
            html.tag("<p class=\"gone\">Contact card, account ")
                .text(card.account.as_str())
                .tag("</p>\n");
        }
        match &line.rich {
            Some(blocks_of_it) => {
                html.tag("<div class=\"rich\">");
                blocks(html, blocks_of_it);
                html.tag("</div>\n");
            }
            None if !line.text.is_empty() => {
                html.tag("<p class=\"text\">")
                    .text(&line.text)
                    .tag("</p>\n");
            }
            None => {}
        }
        reactions(html, line);
        versions(html, line, extras);
    }
    html.tag("<p class=\"when\">")
        .text(&moment(line.sent_ms, "%H:%M"));
    if line.edits > 0 {
        html.tag(" · edited");
    }
    html.tag("</p>\n</article>\n");
}

fn quote(html: &mut Html, line: &MessageInfo) {
    let Some(quote) = &line.quote else { return };
    html.tag("<blockquote class=\"quote\"><b>")
        .text(&quote.sender_name)
        .tag("</b><br>");
    if quote.deleted {
        html.tag("This message was deleted.");
    } else {
        html.text(&quote.text);
    }
    if let (false, Some(local_id)) = (quote.deleted, quote.local_id) {
        html.tag(" <a href=\"#m").number(local_id).tag("\">↑</a>");
    }
    html.tag("</blockquote>\n");
}

fn attachment(
    html: &mut Html,
    line: &MessageInfo,
    file: &undertone_core::AttachmentInfo,
    extras: &Extras,
) {
    let name = match extras.file(line.local_id, file.index) {
        Kept::Here(name) => name,
        Kept::Once => {
            html.tag("<p class=\"gone\">A file that could be opened once.</p>\n");
            return;
        }
        Kept::Missing => {
            html.tag("<p class=\"gone\">")
                .text(&file.name)
                .tag(": this file could not be had.</p>\n");
            return;
        }
    };
    let kind = file.content_type.split('/').next().unwrap_or_default();
    // Names are ours: digits and plain letters.
    match kind {
        "image" if !name.ends_with(".txt") => {
            html.tag("<a href=\"media/")
                .tag(name)
                .tag("\"><img loading=\"lazy\" src=\"media/")
                .tag(name)
                .tag("\" alt=\"")
                .text(&file.name)
                .tag("\"></a>\n");
        }
        "video" if !name.ends_with(".txt") => {
            html.tag("<video controls preload=\"none\" src=\"media/")
                .tag(name)
                .tag("\"></video>\n");
        }
        "audio" if !name.ends_with(".txt") => {
            html.tag("<audio controls preload=\"none\" src=\"media/")
                .tag(name)
                .tag("\"></audio>\n");
        }
        _ => {
            html.tag("<p class=\"file\"><a href=\"media/")
                .tag(name)
                .tag("\" download=\"")
                .text(&file.name)
                .tag("\">")
                .text(&file.name)
                .tag("</a> · ")
                .text(&width::bytes(file.size))
                .tag("</p>\n");
        }
    }
}

fn reactions(html: &mut Html, line: &MessageInfo) {
    if line.reactions.is_empty() {
        return;
    }
    html.tag("<p class=\"reactions\">");
    for reaction in &line.reactions {
        html.tag("<span title=\"")
            .text(&reaction.names.join(", "))
            .tag("\">")
            .text(&reaction.text);
        if reaction.people.len() > 1 {
            html.tag(" ").number(reaction.people.len());
        }
        html.tag("</span>");
    }
    html.tag("</p>\n");
}

/// What it said before, oldest first; the last version is the message.
fn versions(html: &mut Html, line: &MessageInfo, extras: &Extras) {
    let versions = extras.versions(line.local_id);
    let Some((_, before)) = versions
        .split_last()
        .filter(|(_, before)| !before.is_empty())
    else {
        return;
    };
    html.tag("<details><summary>What it said before</summary>\n");
    for version in before {
        html.tag("<p class=\"text\">")
            .text(&version.text)
            .tag("</p><p>")
            .text(&moment(version.sent_ms, "%-d %B %Y, %H:%M"))
            .tag("</p>\n");
    }
    html.tag("</details>\n");
}

fn blocks(html: &mut Html, of: &[Block]) {
    for block in of {
        match block {
            Block::Paragraph { spans: of } => {
                html.tag("<p>");
                spans(html, of);
                html.tag("</p>");
            }
            Block::Heading { level, spans: of } => {
                // Below the page's own headings.
                let level = (*level).clamp(1, 4) + 2;
                html.tag("<h").number(level).tag(">");
                spans(html, of);
                html.tag("</h").number(level).tag(">");
            }
            Block::Quote { blocks: of } => {
                html.tag("<blockquote>");
                blocks(html, of);
                html.tag("</blockquote>");
            }
            Block::Code { text, .. } => {
                html.tag("<pre><code>").text(text).tag("</code></pre>");
            }
            Block::List { start, items } => list(html, *start, items),
            Block::Table { rows } => table(html, rows),
            Block::Rule => {
                html.tag("<hr>");
            }
        }
    }
}

fn list(html: &mut Html, start: Option<u32>, items: &[ListItem]) {
    match start {
        Some(start) => html.tag("<ol start=\"").number(start).tag("\">"),
        None => html.tag("<ul>"),
    };
    for item in items {
        html.tag("<li>");
        match item.checked {
            Some(true) => html.tag("☑ "),
            Some(false) => html.tag("☐ "),
            None => html,
        };
        blocks(html, &item.blocks);
        html.tag("</li>");
    }
    html.tag(if start.is_some() { "</ol>" } else { "</ul>" });
}

fn table(html: &mut Html, rows: &[Vec<Vec<Span>>]) {
    html.tag("<table>");
    for (number, row) in rows.iter().enumerate() {
        html.tag("<tr>");
        let (open, close) = if number == 0 {
            ("<th>", "</th>")
        } else {
            ("<td>", "</td>")
        };
        for cell in row {
            html.tag(open);
            spans(html, cell);
            html.tag(close);
        }
        html.tag("</tr>");
    }
    html.tag("</table>");
}

fn spans(html: &mut Html, of: &[Span]) {
    for span in of {
        let (open, inside, close) = match span {
            Span::Text { text } => {
                html.text(text);
                continue;
            }
            Span::Code { text } => {
                html.tag("<code>").text(text).tag("</code>");
                continue;
            }
            Span::Break => {
                html.tag("<br>");
                continue;
            }
            Span::Mention { name, .. } => {
                html.tag("<b>@").text(name).tag("</b>");
                continue;
            }
            Span::Link { url, spans: of } => {
                link(html, url, of);
                continue;
            }
            Span::Strong { spans: inside } => ("<strong>", inside, "</strong>"),
            Span::Emphasis { spans: inside } => ("<em>", inside, "</em>"),
            Span::Strike { spans: inside } => ("<s>", inside, "</s>"),
        };
        html.tag(open);
        spans(html, inside);
        html.tag(close);
    }
}

/// The tree has no other addresses; what it does not say is not a link here either.
fn link(html: &mut Html, url: &str, of: &[Span]) {
    let lower = url.to_ascii_lowercase();
    if !["http:", "https:", "mailto:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme))
    {
        return spans(html, of);
    }
    html.tag("<a rel=\"noreferrer noopener nofollow\" href=\"")
        .text(url)
        .tag("\">");
    spans(html, of);
    html.tag("</a>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_write_is_text() {
        let hostile = "</title><script>alert(1)</script>\" onload='x' &amp;\u{202e}\0";
        let page = page(&What {
            name: hostile,
            number: 1,
            count: 1,
            left_out: 2,
            now_ms: 0,
            lines: &[],
            extras: &Extras::default(),
        });
        assert!(!page.contains("<script") && !page.contains("\u{202e}") && !page.contains('\0'));
        assert!(page.contains(
            "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp;amp;"
        ));
        assert!(page.contains("2 messages."));
    }

    #[test]
    fn nothing_is_named_so_that_a_browser_would_run_it() {
        for (suggested, name) in [
            ("a.jpg", "00001.jpg"),
            ("../../x.HTML", "00001.html.txt"),
            ("drawing.svg", "00001.svg.txt"),
            ("no ending", "00001.bin"),
            ("a.b c", "00001.bin"),
            ("a.\"onerror", "00001.bin"),
            ("é.é", "00001.bin"),
        ] {
            assert_eq!(file_name(1, suggested), name);
        }
    }

    #[test]
    fn only_addresses_that_run_nothing_are_links() {
        let link_to = |url: &str| {
            let mut html = Html::default();
            let text = [Span::Text {
                text: "here".into(),
            }];
            link(&mut html, url, &text);
            html.0
        };
        assert!(
            link_to("https://example.org/?a=\"b\"")
                .contains("href=\"https://example.org/?a=&quot;b&quot;\"")
        );
        assert_eq!(link_to("javascript:alert(1)"), "here");
        assert_eq!(link_to("data:text/html,x"), "here");
    }

    #[test]
    fn the_policy_names_the_style_that_is_there() {
        let page = page(&What {
            name: "Ben",
            number: 2,
            count: 3,
            left_out: 0,
            now_ms: 0,
            lines: &[],
            extras: &Extras::default(),
        });
        let inside = page
            .split("<style>")
            .nth(1)
            .and_then(|rest| rest.split("</style>").next());
        assert!(page.contains(&style_hash(inside.unwrap_or_default())));
        assert!(page.contains("<a href=\"index.html\">1</a><b>2</b><a href=\"page-3.html\">3</a>"));
    }
}
