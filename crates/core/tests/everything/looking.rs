//! What people look for, at random.

use undertone_core::Search;

use crate::world::{Outcome, World};

impl World {
    /// What is shown is found, by a word of it.
    pub async fn looks_for_a_message(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let target = self
            .some_message(who, &chat, |line| !line.deleted && !line.text.is_empty())
            .await?;
        let is_word = |letter: char| letter.is_alphanumeric();
        let mut words = target.text.split(|letter| !is_word(letter));
        let word = words.find(|word| !word.is_empty())?.to_owned();
        let search = Search {
            text: word.clone(),
            chat: Some(chat.id.clone()),
            limit: Some(200),
            ..Search::default()
        };
        let line = format!("in {}: looks for {word}", chat.name);
        let client_found = self
            .does(who, &line, async |client| {
                let found = client.search(search).await?;
                // As it is shown after that: something may have come in between.
                let now = client.message(&chat.id, &target.id.to_string()).await;
                Ok((found, now.is_ok_and(|now| now.text.contains(&word))))
            })
            .await;
        if let Outcome::Done((found, is_still_there)) = client_found {
            let is_found = found.iter().any(|message| message.id == target.id);
            assert!(is_found || !is_still_there, "{line}: not found");
        }
        Some(())
    }
}
