//! What people do, at random, with files.

use undertone_core::{Draft, DraftAttachment};

use crate::{deeds::named, world::World};

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
}
