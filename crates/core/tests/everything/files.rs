//! What people do, at random, with files.

use undertone_core::{Draft, DraftAttachment, MessageState};

use crate::{
    deeds::named,
    world::{Outcome, World},
};

impl World {
    fn file(&mut self) -> DraftAttachment {
        self.files += 1;
        let (name, content) = (self.word(), self.word());
        let path = self.folder.path().join(format!("{name}.txt"));
        std::fs::write(&path, content).unwrap();
        DraftAttachment {
            path,
            name: None,
            keep_metadata: false,
            film: None,
        }
    }

    pub async fn sends_a_file(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let (file, word) = (self.file(), self.word());
        let what = format!("sends a file and says {word}");
        let mut draft = Draft::text(word);
        draft.attachments.push(file);
        self.sends(who, &chat, &what, draft).await;
        Some(())
    }

    pub async fn sends_something_to_open_once(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let draft = Draft {
            view_once: true,
            attachments: vec![self.file()],
            ..Draft::default()
        };
        self.not_said_again.insert(chat.id.clone());
        self.sends(who, &chat, "sends a file to be opened once", draft)
            .await;
        Some(())
    }

    pub async fn opens_a_file(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| !line.attachments.is_empty())
            .await?;
        self.files += 1;
        let to = self.folder.path().join(format!("saved-{}", self.files));
        let line = format!("in {}: opens the file of {}", chat.name, named(&target));
        self.does(who, &line, async |client| {
            client.save(&chat.id, &target.id, 0, &to).await
        })
        .await;
        Some(())
    }

    /// A picture, which is shown before it is fetched.
    pub async fn sends_a_photo(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let mut file = self.file();
        let picture = image::RgbImage::from_fn(48, 32, |x, y| {
            let [_, low] = u16::try_from(x * y).unwrap_or_default().to_be_bytes();
            image::Rgb([low, 90, 200])
        });
        file.path.set_extension("png");
        picture.save(&file.path).unwrap();
        let draft = Draft {
            attachments: vec![file],
            ..Draft::text(self.word())
        };
        self.sends(who, &chat, "sends a photo", draft).await;
        Some(())
    }

    pub async fn sends_several_files(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let draft = Draft {
            attachments: vec![self.file(), self.file(), self.file()],
            ..Draft::text(self.word())
        };
        self.sends(who, &chat, "sends three files", draft).await;
        Some(())
    }

    /// Lets the files of a message wait, lets them go on, or ends their way. At the next rest they go on.
    pub async fn halts_a_transfer(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| !line.attachments.is_empty())
            .await?;
        let what = self.pick(&["pauses", "pauses", "resumes", "cancels"])?;
        let id = target.id.clone();
        self.paused.push((who, chat.id.clone(), id.clone()));
        let line = format!("in {}: {what} the files of {}", chat.name, named(&target));
        self.does(who, &line, async |client| match what {
            "pauses" => client.pause_transfer(&chat.id, &id, None).await,
            "resumes" => client.resume_transfer(&chat.id, &id, None).await,
            _ => client.cancel_transfer(&chat.id, &id, None).await,
        })
        .await;
        Some(())
    }

    pub async fn sends_again(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| line.state == MessageState::Failed)
            .await?;
        let line = format!("in {}: sends {} again", chat.name, named(&target));
        if let Outcome::Done(sent) = self
            .does(who, &line, async |client| {
                client.send_again(&chat.id, &target.id).await
            })
            .await
        {
            self.touch(&sent.message);
        }
        Some(())
    }

    /// What waits because somebody wanted it to goes on.
    pub async fn all_goes_on(&mut self) {
        for (who, chat, message) in std::mem::take(&mut self.paused) {
            let device = &self.devices[who];
            if !device.removed {
                // It may have been sent, cancelled or deleted since.
                let client = device.person.client();
                let _ = client.resume_transfer(&chat, &message, None).await;
            }
        }
    }
}
