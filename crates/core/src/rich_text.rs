//! Markdown (GFM-MIMI) as a tree that is safe to show: no HTML, no images from elsewhere, no address that runs anything.
//!
//! The parser is the `markdown` crate's (CommonMark and GFM, kept by the author of mdast and micromark, no dependencies to speak of) with
//! its HTML constructs off, so that a tag is text like any other. What comes out is this file's own small tree: a reader of it can't show
//! what it does not know. What is too deep or too much is shown as it was typed, and so is what the parser stumbles over: a message that
//! stopped its reader would do so whenever its chat is shown.

use std::panic::catch_unwind;

use markdown::{
    Constructs, ParseOptions,
    mdast::{Node, Root},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_content::uri;

use crate::ids::ContactId;

/// Levels of blocks and spans inside each other.
const DEPTH: usize = 24;
/// Blocks and spans of one text.
const NODES: usize = 4000;
/// Longest text that is read, bytes: what the parser needs grows with the square of it.
const LONGEST: usize = 16 << 10;
/// Signs of one text that may begin or end something inside a line, and lines.
const SIGNS: usize = 4000;
/// Mentions of one text that count.
const MENTIONS: usize = 100;
/// Longest address of a link, bytes.
const URL_BYTES: usize = 2048;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum Block {
    /// A paragraph.
    Paragraph {
        /// What it says.
        spans: Vec<Span>,
    },
    /// A heading.
    Heading {
        /// 1 to 6.
        level: u8,
        /// What it says.
        spans: Vec<Span>,
    },
    /// A quotation.
    Quote {
        /// What is quoted.
        blocks: Vec<Block>,
    },
    /// Text to be shown as it stands.
    Code {
        /// What it is written in, as its author says.
        language: Option<String>,
        /// The text.
        text: String,
    },
    /// A list.
    List {
        /// The first number, of a numbered one.
        start: Option<u32>,
        /// Its items.
        items: Vec<ListItem>,
    },
    /// A table.
    Table {
        /// Rows of cells, the heading first.
        rows: Vec<Vec<Vec<Span>>>,
    },
    /// A line across.
    Rule,
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListItem {
    /// Of a list of things to do: whether it is done.
    pub checked: Option<bool>,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "span", rename_all = "snake_case")]
pub enum Span {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// Important.
    Strong {
        /// What is.
        spans: Vec<Span>,
    },
    /// Stressed.
    Emphasis {
        /// What is.
        spans: Vec<Span>,
    },
    /// Crossed out.
    Strike {
        /// What is.
        spans: Vec<Span>,
    },
    /// Text to be shown as it stands.
    Code {
        /// The text.
        text: String,
    },
    /// A new line.
    Break,
    /// A link to `http:`, `https:` or `mailto:`.
    Link {
        /// Where to.
        url: String,
        /// What it says, which need not be where it leads.
        spans: Vec<Span>,
    },
    /// Somebody is mentioned.
    Mention {
        /// Who.
        contact: ContactId,
        /// As the author calls them.
        name: String,
    },
}

/// A text that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RichText {
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// Who is mentioned, each once, in order.
    pub mentions: Vec<ContactId>,
}

/// Reads Markdown. Never fails: what can't be understood is text.
#[must_use]
pub fn read(text: &str) -> RichText {
    let mut reader = Reader::default();
    let blocks = parse(text).and_then(|root| reader.blocks(&root.children, DEPTH));
    match blocks {
        Some(blocks) => RichText {
            blocks,
            mentions: reader.mentions,
        },
        None => RichText {
            blocks: as_typed(text),
            mentions: Vec::new(),
        },
    }
}

/// The parser's tree; none where the text is more than it should be given, or it stumbles over it.
fn parse(text: &str) -> Option<Root> {
    if !is_modest(text) {
        return None;
    }
    let parsed = catch_unwind(|| {
        let options = ParseOptions {
            constructs: Constructs {
                html_flow: false,
                html_text: false,
                gfm_footnote_definition: false,
                gfm_label_start_footnote: false,
                definition: false,
                // Two in a row stop the parser, and nobody who draws a line below what they said means a heading by it.
                heading_setext: false,
                ..Constructs::gfm()
            },
            ..ParseOptions::gfm()
        };
        markdown::to_mdast(text, &options)
    });
    match parsed {
        Ok(Ok(Node::Root(root))) => Some(root),
        _ => None,
    }
}

/// Whether the parser gets through it soon, and makes no tree so deep that the stack ends before it.
fn is_modest(text: &str) -> bool {
    let is_sign = |byte: &u8| b"*_~`[]!|<&\\\n\r".contains(byte);
    text.len() <= LONGEST
        && text.bytes().filter(is_sign).count() <= SIGNS
        && text
            .split(['\n', '\r'])
            .all(|line| containers(line) <= DEPTH)
}

/// The quotations and lists that may begin at the beginning of a line.
fn containers(line: &str) -> usize {
    let mut begun = 0;
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let is_item = |after: &str| after.is_empty() || after.starts_with([' ', '\t']);
        let after = match rest.strip_prefix('>') {
            Some(after) => Some(after),
            None => rest
                .trim_start_matches(|letter: char| letter.is_ascii_digit())
                .strip_prefix(['-', '+', '*', '.', ')'])
                .filter(|after| is_item(after)),
        };
        match after {
            Some(after) => (begun, rest) = (begun + 1, after),
            None => return begun,
        }
    }
}

fn as_typed(text: &str) -> Vec<Block> {
    vec![Block::Paragraph {
        spans: vec![Span::Text {
            text: text.to_owned(),
        }],
    }]
}

/// Counts what it makes; `None` from any of its functions means that there is too much.
#[derive(Default)]
struct Reader {
    nodes: usize,
    mentions: Vec<ContactId>,
}

impl Reader {
    fn count(&mut self, depth: usize) -> Option<usize> {
        self.nodes += 1;
        (self.nodes <= NODES).then_some(())?;
        depth.checked_sub(1)
    }

    fn blocks(&mut self, nodes: &[Node], depth: usize) -> Option<Vec<Block>> {
        let depth = self.count(depth)?;
        let mut blocks = Vec::new();
        for node in nodes {
            blocks.extend(self.block(node, depth)?);
        }
        Some(blocks)
    }

    fn block(&mut self, node: &Node, depth: usize) -> Option<Option<Block>> {
        let depth = self.count(depth)?;
        Some(Some(match node {
            Node::Paragraph(paragraph) => Block::Paragraph {
                spans: self.spans(&paragraph.children, depth)?,
            },
            Node::Heading(heading) => Block::Heading {
                level: heading.depth.clamp(1, 6),
                spans: self.spans(&heading.children, depth)?,
            },
            Node::Blockquote(quote) => Block::Quote {
                blocks: self.blocks(&quote.children, depth)?,
            },
            Node::Code(code) => Block::Code {
                language: code.lang.clone(),
                text: code.value.clone(),
            },
            Node::List(list) => Block::List {
                start: list.ordered.then(|| list.start.unwrap_or(1)),
                items: self.items(&list.children, depth)?,
            },
            Node::Table(table) => Block::Table {
                rows: self.rows(&table.children, depth)?,
            },
            Node::ThematicBreak(_) => Block::Rule,
            other => {
                let spans = self.span(other, depth)?;
                return Some((!spans.is_empty()).then_some(Block::Paragraph { spans }));
            }
        }))
    }

    fn items(&mut self, nodes: &[Node], depth: usize) -> Option<Vec<ListItem>> {
        let mut items = Vec::new();
        for node in nodes {
            if let Node::ListItem(item) = node {
                items.push(ListItem {
                    checked: item.checked,
                    blocks: self.blocks(&item.children, depth)?,
                });
            }
        }
        Some(items)
    }

    fn rows(&mut self, nodes: &[Node], depth: usize) -> Option<Vec<Vec<Vec<Span>>>> {
        let mut rows = Vec::new();
        for node in nodes {
            let Node::TableRow(row) = node else { continue };
            let mut cells = Vec::new();
            for cell in &row.children {
                if let Node::TableCell(cell) = cell {
                    cells.push(self.spans(&cell.children, depth)?);
                }
            }
            rows.push(cells);
        }
        Some(rows)
    }

    fn spans(&mut self, nodes: &[Node], depth: usize) -> Option<Vec<Span>> {
        let depth = self.count(depth)?;
        let mut spans = Vec::new();
        for node in nodes {
            spans.extend(self.span(node, depth)?);
        }
        Some(spans)
    }

    fn span(&mut self, node: &Node, depth: usize) -> Option<Vec<Span>> {
        let depth = self.count(depth)?;
        Some(vec![match node {
            Node::Text(text) => Span::Text {
                text: text.value.clone(),
            },
            Node::Strong(strong) => Span::Strong {
                spans: self.spans(&strong.children, depth)?,
            },
            Node::Emphasis(emphasis) => Span::Emphasis {
                spans: self.spans(&emphasis.children, depth)?,
            },
            Node::Delete(delete) => Span::Strike {
                spans: self.spans(&delete.children, depth)?,
            },
            Node::InlineCode(code) => Span::Code {
                text: code.value.clone(),
            },
            Node::Break(_) => Span::Break,
            Node::Link(link) => {
                let spans = self.spans(&link.children, depth)?;
                return Some(self.link(&link.url, spans));
            }
            // Nothing is fetched from elsewhere: a picture is a link to one.
            Node::Image(image) => {
                let text = if image.alt.is_empty() {
                    image.url.clone()
                } else {
                    image.alt.clone()
                };
                return Some(self.link(&image.url, vec![Span::Text { text }]));
            }
            other => match other.children() {
                Some(children) => return self.spans(children, depth),
                None => Span::Text {
                    text: other.to_string(),
                },
            },
        }])
    }

    /// A link, a mention, or only what it says.
    fn link(&mut self, url: &str, spans: Vec<Span>) -> Vec<Span> {
        if let Some(account) = uri::parse_account(url) {
            let contact = ContactId::from_bytes(&account);
            if !self.mentions.contains(&contact) {
                if self.mentions.len() == MENTIONS {
                    return spans;
                }
                self.mentions.push(contact.clone());
            }
            let name = plain(&spans);
            return vec![Span::Mention { contact, name }];
        }
        if is_safe(url) {
            vec![Span::Link {
                url: url.to_owned(),
                spans,
            }]
        } else {
            spans
        }
    }
}

/// Whether more people are named in a text than count: the others are not mentioned, and all are plain text if it is too long altogether.
pub(crate) fn has_too_many_mentions(text: &str) -> bool {
    text.matches(uri::ACCOUNT).nth(MENTIONS).is_some()
}

/// The text for a screen that shows letters only: a link's address stands behind it where it says something else.
#[must_use]
pub fn as_letters(blocks: &[Block]) -> String {
    let mut lines = Vec::new();
    letters_of_blocks(blocks, "", &mut lines);
    lines.join("\n")
}

fn letters_of_blocks(blocks: &[Block], before: &str, lines: &mut Vec<String>) {
    for (position, block) in blocks.iter().enumerate() {
        if position > 0 && before.trim().is_empty() && !matches!(block, Block::List { .. }) {
            lines.push(before.trim_end().to_owned());
        }
        match block {
            Block::Paragraph { spans } | Block::Heading { spans, .. } => {
                lines.extend(
                    letters(spans)
                        .split('\n')
                        .map(|line| format!("{before}{line}")),
                );
            }
            Block::Quote { blocks } => letters_of_blocks(blocks, &format!("{before}> "), lines),
            Block::Code { text, .. } => {
                lines.extend(text.lines().map(|line| format!("{before}    {line}")));
            }
            Block::List { start, items } => letters_of_items(*start, items, before, lines),
            Block::Table { rows } => lines.extend(rows.iter().map(|row| {
                let cells: Vec<String> = row.iter().map(|cell| letters(cell)).collect();
                format!("{before}{}", cells.join(" | "))
            })),
            Block::Rule => lines.push(format!("{before}---")),
        }
    }
}

fn letters_of_items(start: Option<u32>, items: &[ListItem], before: &str, lines: &mut Vec<String>) {
    for (item, number) in items.iter().zip(0_u32..) {
        let mark = match (start, item.checked) {
            (Some(start), _) => format!("{}. ", start.saturating_add(number)),
            (None, Some(true)) => "[x] ".to_owned(),
            (None, Some(false)) => "[ ] ".to_owned(),
            (None, None) => "- ".to_owned(),
        };
        let first = lines.len();
        let indent = " ".repeat(mark.len());
        letters_of_blocks(&item.blocks, &format!("{before}{indent}"), lines);
        match lines.get_mut(first) {
            Some(line) => {
                let rest = line
                    .strip_prefix(&format!("{before}{indent}"))
                    .unwrap_or_default();
                *line = format!("{before}{mark}{rest}");
            }
            None => lines.push(format!("{before}{mark}").trim_end().to_owned()),
        }
    }
}

fn letters(spans: &[Span]) -> String {
    spans
        .iter()
        .map(|span| match span {
            Span::Text { text } | Span::Code { text } => text.clone(),
            Span::Strong { spans } | Span::Emphasis { spans } | Span::Strike { spans } => {
                letters(spans)
            }
            Span::Break => "\n".to_owned(),
            Span::Mention { name, .. } => name.clone(),
            Span::Link { url, spans } => {
                let said = letters(spans);
                let leads = url.strip_prefix("mailto:").unwrap_or(url);
                if said == *url || said == leads {
                    said
                } else {
                    format!("{said} ({url})")
                }
            }
        })
        .collect()
}

/// Whether an address leads to the web or to a mailbox, and nowhere else.
fn is_safe(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    let known = ["http", "https", "mailto"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    known
        && url.len() <= URL_BYTES
        && url.len() > scheme.len() + 1
        && !url
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace())
}

fn plain(spans: &[Span]) -> String {
    spans
        .iter()
        .map(|span| match span {
            Span::Text { text } | Span::Code { text } => text.clone(),
            Span::Strong { spans }
            | Span::Emphasis { spans }
            | Span::Strike { spans }
            | Span::Link { spans, .. } => plain(spans),
            Span::Mention { name, .. } => name.clone(),
            Span::Break => " ".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
