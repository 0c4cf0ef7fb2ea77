//! Blob requests and their responses, one after the other.

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    Failure, Tally,
    script::{Fate, HttpRequest, Script},
};

/// The longest head that is waited for.
const LONGEST_HEAD: usize = 16 * 1024;

/// Passes requests to the server and responses back, until a side ends or the script does.
pub async fn exchanges(
    mut app: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    script: &dyn Script,
    tally: &Tally,
) -> Result<(), Failure> {
    let (mut from_app, mut from_server) = (BytesMut::new(), BytesMut::new());
    while let Some(head) = head(&mut app, &mut from_app).await? {
        let request = HttpRequest {
            line: head.line().to_owned(),
            place: head
                .field("range")
                .or_else(|| head.field("upload-offset"))
                .unwrap_or_default()
                .to_owned(),
        };
        let fate = script.http(&request);
        server.write_all(head.bytes()).await?;
        let length = head.length()?;
        if fate == Fate::LoseRequest {
            // Without a body the head is half of it all; with one, the connection breaks in its middle.
            tally.requests_lost.fetch_add(1, Ordering::Relaxed);
            if length > 0 {
                pass(&mut app, &mut from_app, &mut server, length / 2).await?;
            }
            server.flush().await?;
            return Ok(());
        }
        pass(&mut app, &mut from_app, &mut server, length).await?;
        server.flush().await?;

        let answer = self::head(&mut server, &mut from_server).await?;
        let answer = answer.ok_or("the server closed")?;
        let no_body = request.line.starts_with("HEAD ")
            || answer.line().contains(" 204 ")
            || answer.line().ends_with(" 204");
        let length = if no_body { 0 } else { answer.length()? };
        if fate == Fate::LoseResponse {
            tally.responses_lost.fetch_add(1, Ordering::Relaxed);
            if length > 1 {
                app.write_all(answer.bytes()).await?;
                pass(&mut server, &mut from_server, &mut app, length / 2).await?;
                app.flush().await?;
            }
            return Ok(());
        }
        app.write_all(answer.bytes()).await?;
        pass(&mut server, &mut from_server, &mut app, length).await?;
        app.flush().await?;
    }
    Ok(())
}

/// The head of a request or a response, with the empty line at its end.
struct Head(String);

impl Head {
    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn line(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Bytes of the body.
    fn length(&self) -> Result<u64, Failure> {
        if self.field("transfer-encoding").is_some() {
            return Err("a body without a length".into());
        }
        Ok(match self.field("content-length") {
            Some(length) => length.parse()?,
            None => 0,
        })
    }
}

/// None when the side has closed.
async fn head(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Option<Head>, Failure> {
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let bytes = buffer.split_to(end + 4);
            return Ok(Some(Head(String::from_utf8(bytes.to_vec())?)));
        }
        if buffer.len() > LONGEST_HEAD {
            return Err("a head without an end".into());
        }
        if from.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    to: &mut (impl AsyncWrite + Unpin),
    mut length: u64,
) -> Result<(), Failure> {
    while length > 0 {
        if buffer.is_empty() && from.read_buf(buffer).await? == 0 {
            return Err("a body without its end".into());
        }
        let part = buffer.len().min(usize::try_from(length)?);
        to.write_all(&buffer.split_to(part)).await?;
        length -= part as u64;
    }
    Ok(())
}
