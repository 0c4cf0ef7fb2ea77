//! What people do, at random, about each other: name them, pass them on, trust them, and let them know.

use undertone_core::{Choice, ContactChange, Draft, Location, SharedContact};

use crate::world::World;

impl World {
    pub async fn mentions(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let client = self.devices[who].person.client();
        let members = client.members(&chat.id).await.ok()?;
        let member = self.pick(&members)?;
        let word = self.word();
        let draft = Draft {
            markdown: true,
            ..Draft::text(format!("{word}, [@{}]({})", member.name, member.uri))
        };
        let what = format!("says {word} to {}", member.name);
        self.sends(who, &chat, &what, draft).await;
        Some(())
    }

    pub async fn sends_a_card(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let contacts = self.devices[who].person.client().contacts().await.ok()?;
        let contact = self.pick(&contacts)?;
        let what = format!("sends the card of {}", contact.name);
        let draft = Draft {
            contact: Some(SharedContact {
                contact: contact.id,
                link: None,
            }),
            ..Draft::default()
        };
        self.sends(who, &chat, &what, draft).await;
        Some(())
    }

    pub async fn sends_a_place(&mut self) -> Option<()> {
        let (who, chat) = self.anybody_in_a_chat().await?;
        let draft = Draft {
            location: Some(Location {
                latitude: 52.37,
                longitude: 4.89,
                accuracy_m: None,
            }),
            ..Draft::default()
        };
        self.sends(who, &chat, "sends a place", draft).await;
        Some(())
    }

    pub async fn verifies(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let contacts = self.devices[who].person.client().contacts().await.ok()?;
        let contact = self.pick(&contacts)?;
        let line = format!(
            "has compared numbers with {}: {}",
            contact.name, !contact.verified
        );
        self.does(who, &line, async |client| {
            client.set_verified(&contact.id, !contact.verified).await
        })
        .await;
        Some(())
    }

    pub async fn tells_a_person_what_is_read(&mut self) -> Option<()> {
        let who = self.anybody()?;
        let contacts = self.devices[who].person.client().contacts().await.ok()?;
        let contact = self.pick(&contacts)?;
        let choice = self.pick(&[Choice::On, Choice::Off, Choice::Default])?;
        let change = ContactChange {
            read_receipts: Some(choice),
            ..ContactChange::default()
        };
        let line = format!("tells {} what is read: {choice:?}", contact.name);
        self.does(who, &line, async |client| {
            client.set_contact(&contact.id, change).await
        })
        .await;
        Some(())
    }
}
