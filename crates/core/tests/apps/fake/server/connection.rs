//! The way to the server: connections and blobs, where requests and responses get lost.

use super::*;

struct FakeConnection {
    server: FakeServer,
    line: Arc<Mutex<Line>>,
    hello: ServerHello,
}

impl FakeConnection {
    fn is_open(&self) -> bool {
        !self.server.is_cut() && lock(&self.line).open && lock(&self.server.state).online
    }

    fn push_now(&self) -> Option<Push> {
        let mut state = lock(&self.server.state);
        let mut line = lock(&self.line);
        let damage = state.damage_next_push > 0;
        if let Some(notice) = line.notices.pop_front() {
            return Some(Push::Notice(notice));
        }
        let id = line.queue?;
        if state.held.contains(&id) {
            return None;
        }
        let queue = state.queues.get(&id)?;
        if line.ephemeral_credit > 0
            && let Some(key_id) = line.ephemerals.front().map(|sent| sent.key_id)
        {
            if !line.keys_sent.contains(&key_id) {
                line.keys_sent.push(key_id);
                return Some(Push::SealKey(queue.seal_keys[&key_id].clone()));
            }
            line.ephemeral_credit -= 1;
            return line.ephemerals.pop_front().map(Push::Ephemeral);
        }
        let (sequence, item) = queue.items.range(line.pushed + 1..).next()?;
        if line.credit == 0 {
            return None;
        }
        if !line.keys_sent.contains(&item.key_id) {
            line.keys_sent.push(item.key_id);
            return Some(Push::SealKey(queue.seal_keys[&item.key_id].clone()));
        }
        line.credit -= 1;
        line.pushed = *sequence;
        let mut item = item.clone();
        if damage {
            let mut bytes = item.sealed.to_vec();
            bytes[7] ^= 4;
            item.sealed = bytes.into();
            state.damage_next_push -= 1;
        }
        Some(Push::Item(item))
    }
}

impl FakeConnection {
    fn ask(&self, request: Request) -> Result<Response, Error> {
        if !self.is_open() {
            return Err(lost());
        }
        ASKED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mut state = lock(&self.server.state);
        state.requests += 1;
        let number = state.requests;
        let fault = state.faults.remove(&number);
        if fault == Some(Fault::Request) {
            lock(&self.line).open = false;
            lock(&self.line).wake.notify_one();
            return Err(lost());
        }
        let issuers = lock(&self.server.issuers).clone();
        let answer = state.answer(&issuers, &self.line, request);
        if fault == Some(Fault::Response) {
            lock(&self.line).open = false;
            lock(&self.line).wake.notify_one();
            return Err(lost());
        }
        answer
    }
}

fn lost() -> Error {
    Error::new(Code::ConnectionLost)
}

impl Connection for FakeConnection {
    fn hello(&self) -> &ServerHello {
        &self.hello
    }

    fn request(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            // A real connection never answers within the same poll.
            tokio::task::yield_now().await;
            let held_back = matches!(request, Request::ChannelCommit(_) | Request::ChannelSend(_));
            let answer = self.ask(request);
            if held_back {
                let mut held = self.server.answers_held.subscribe();
                // The sender lives as long as the server.
                let _ = held.wait_for(|held| !held).await;
            }
            answer
        })
    }

    fn next_push(&self) -> BoxFuture<'_, Result<Push, TransportError>> {
        Box::pin(async move {
            loop {
                if !self.is_open() {
                    return Err(lost());
                }
                if let Some(push) = self.push_now() {
                    return Ok(push);
                }
                let wake = Arc::clone(&lock(&self.line).wake);
                wake.notified().await;
            }
        })
    }

    fn credit(&self, items: u32) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let mut line = lock(&self.line);
            line.credit += items;
            line.wake.notify_one();
            Ok(())
        })
    }

    fn ephemeral_credit(&self, more: u32) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let mut line = lock(&self.line);
            line.ephemeral_credit += more;
            line.wake.notify_one();
            Ok(())
        })
    }

    fn ack(&self, sequence: u64) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            if !self.is_open() {
                return Err(lost());
            }
            let mut state = lock(&self.server.state);
            let Some(id) = lock(&self.line).queue else {
                return Ok(());
            };
            if let Some(queue) = state.queues.get_mut(&id) {
                queue.items = queue.items.split_off(&(sequence + 1));
            }
            Ok(())
        })
    }

    fn close(&self) {
        let mut line = lock(&self.line);
        line.open = false;
        line.wake.notify_one();
    }
}

impl FakeServer {
    /// Whether a blob can be asked for.
    fn reachable(&self) -> Result<(), Error> {
        if self.is_cut() || !lock(&self.state).online {
            return Err(Error::new(Code::ConnectionUnreachable));
        }
        Ok(())
    }
}

impl Transport for FakeServer {
    fn connect<'a>(
        &'a self,
        _server: &'a ServerAddress,
        role: Role,
    ) -> BoxFuture<'a, Result<Arc<dyn Connection>, TransportError>> {
        Box::pin(async move {
            if self.is_cut() || !lock(&self.state).online {
                return Err(Error::new(Code::ConnectionUnreachable));
            }
            let challenge = undertone_wire::ids::random_bytes();
            let line = Line {
                role,
                queue: None,
                credit: 0,
                pushed: 0,
                keys_sent: Vec::new(),
                ephemeral_credit: 0,
                ephemerals: VecDeque::new(),
                notices: VecDeque::new(),
                open: true,
                wake: Arc::new(tokio::sync::Notify::new()),
                challenge,
            };
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
                .saturating_add_signed(lock(&self.state).passed_ms / 1000);
            let hello = ServerHello {
                version: 1,
                challenge: line.challenge,
                time_s: now.saturating_add_signed(lock(&self.state).clock_off_s),
                limits: Limits {
                    frame_bytes: 512 * 1024,
                    item_bytes: 64 * 1024,
                    addresses_per_send: 4096,
                    blob_bytes: 1 << 40,
                    item_days: 30,
                    blob_days: 30,
                    token_requests: 1000,
                    token_bytes: 64 * 1024 * 1024,
                },
                token_keys: self.token_keys(),
                registration_open: true,
            };
            let line = Arc::new(Mutex::new(line));
            if role == Role::Outbox {
                lock(&self.state).outboxes.push(Arc::clone(&line));
            }
            Ok(Arc::new(FakeConnection {
                server: self.clone(),
                line,
                hello,
            }) as Arc<dyn Connection>)
        })
    }

    fn look_up_pin<'a>(
        &'a self,
        _origin: &'a undertone_core::transport::Origin,
    ) -> BoxFuture<'a, Result<Pin, TransportError>> {
        Box::pin(async move {
            self.reachable()?;
            Ok(self.address.pin)
        })
    }

    /// There is one server in here.
    fn server_key<'a>(
        &'a self,
        _server: &'a ServerAddress,
    ) -> BoxFuture<'a, Result<undertone_wire::forward::ServerKey, TransportError>> {
        Box::pin(async { Err(Error::new(Code::ConnectionUnreachable)) })
    }

    fn create_blob<'a>(
        &'a self,
        _server: &'a ServerAddress,
        id: &'a BlobId,
        length: u64,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(async move {
            self.reachable()?;
            rules::verify(&lock(&self.issuers), token)?;
            let mut state = lock(&self.state);
            if let Some(code) = state.uploads_refused {
                return Err(Error::new(code));
            }
            let blob = state.blobs.entry(*id).or_insert((length, Vec::new()));
            Ok(BlobState {
                offset: blob.1.len() as u64,
                length: blob.0,
            })
        })
    }

    fn append_blob<'a>(
        &'a self,
        _server: &'a ServerAddress,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(async move {
            self.turn_of_a_piece().await;
            self.reachable()?;
            rules::verify(&lock(&self.issuers), token)?;
            let mut state = lock(&self.state);
            let breaks = state.uploads_break > 0;
            state.uploads_break = state.uploads_break.saturating_sub(1);
            let Some(blob) = state.blobs.get_mut(id) else {
                return Err(Error::new(Code::BlobUnknown));
            };
            if blob.1.len() as u64 != offset {
                return Err(Error::new(Code::BlobOffset));
            }
            if breaks {
                blob.1.extend_from_slice(&bytes[..bytes.len() / 2]);
                return Err(lost());
            }
            blob.1.extend_from_slice(&bytes);
            Ok(BlobState {
                offset: blob.1.len() as u64,
                length: blob.0,
            })
        })
    }

    fn blob_state<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
    ) -> BoxFuture<'a, Result<BlobState, TransportError>> {
        Box::pin(async move {
            self.is_here(server)?;
            self.reachable()?;
            let state = lock(&self.state);
            let Some(blob) = state.blobs.get(id) else {
                return Err(Error::new(Code::BlobUnknown));
            };
            Ok(BlobState {
                offset: blob.1.len() as u64,
                length: blob.0,
            })
        })
    }

    fn read_blob<'a>(
        &'a self,
        server: &'a ServerAddress,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        Box::pin(async move {
            self.is_here(server)?;
            lock(&self.state).pieces_asked_for += 1;
            self.turn_of_a_piece().await;
            self.reachable()?;
            let mut state = lock(&self.state);
            state.blobs_read += 1;
            if state.blobs_fail {
                return Err(lost());
            }
            let Some(blob) = state.blobs.get(id) else {
                return Err(Error::new(Code::BlobUnknown));
            };
            let (from, to) = (from as usize, (from + length) as usize);
            let piece = blob.1.get(from..to).ok_or(Error::new(Code::BlobRange))?;
            Ok(Bytes::copy_from_slice(piece))
        })
    }
}
