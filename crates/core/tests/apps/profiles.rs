//! What people are called and look like: said by themselves, inside encrypted messages, and shown by others.

use std::io::Cursor;

use crate::fake::{FakeServer, Person, eventually, meet, three};
use undertone_core::{ContactId, LinkOptions, ProfileChange};

type Outcome = Result<(), undertone_core::Error>;

/// A picture of one colour, as a PNG.
fn picture(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::RgbImage::from_pixel(300, 200, image::Rgb(colour))
        .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
        .unwrap();
    bytes
}

fn called(name: &str) -> ProfileChange {
    ProfileChange {
        name: Some(name.to_owned()),
        picture: None,
    }
}

fn looks(bytes: Option<Vec<u8>>) -> ProfileChange {
    ProfileChange {
        name: None,
        picture: Some(bytes),
    }
}

async fn id_of(person: &Person) -> ContactId {
    person.client().account().await.unwrap().account_id
}

/// The colour in the middle of somebody's picture, as another person is shown it.
async fn colour(person: &Person, of: &ContactId) -> Option<[u8; 3]> {
    let shown = person.client().picture_of(of).await.unwrap()?;
    let jpeg = data_encoding::BASE64.decode(shown.as_bytes()).unwrap();
    let shown = image::load_from_memory(&jpeg).unwrap().to_rgb8();
    assert!(shown.width() <= 192 && shown.width() == shown.height());
    Some(shown.get_pixel(shown.width() / 2, shown.height() / 2).0)
}

fn is_red(colour: Option<[u8; 3]>) -> bool {
    colour.is_some_and(|[red, green, blue]| red > 200 && green < 60 && blue < 60)
}

async fn sees_red(person: &Person, of: &ContactId) {
    eventually(&format!("{} sees the picture", person.name), || async {
        is_red(colour(person, of).await)
    })
    .await;
}

async fn members(person: &Person, chat: &str) -> Vec<String> {
    let chat = person.chat(chat).await.id;
    let all = person.client().members(&chat).await.unwrap();
    let mut names: Vec<String> = all.into_iter().map(|member| member.name).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_picture_reach_contacts_and_groups() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let adas = id_of(&ada).await;
    let change = ProfileChange {
        name: Some(" Ada Lovelace ".to_owned()),
        ..looks(Some(picture([250, 0, 0])))
    };
    let own = ada.client().set_profile(change).await?;
    assert_eq!(own.name, "Ada Lovelace");
    assert!(is_red(colour(&ada, &adas).await));
    for other in [&ben, &cleo] {
        sees_red(other, &adas).await;
        assert_eq!(other.client().find_contact("Ada Lovelace").await?.id, adas);
        assert_eq!(
            members(other, "Desk").await,
            ["Ada Lovelace", "Ben", "Cleo"]
        );
        let said = other.notices("Ada Lovelace").await;
        assert_eq!(
            said.iter()
                .filter(|line| *line == "Ada is now called “Ada Lovelace”.")
                .count(),
            1
        );
    }
    // Ben and Cleo are no contacts: they know each other from the group.
    ben.client().set_profile(called("Benjamin")).await?;
    eventually("Cleo knows the name", || async {
        members(&cleo, "Desk").await == ["Ada Lovelace", "Benjamin", "Cleo"]
    })
    .await;
    let said = cleo.notices("Desk").await;
    assert!(
        said.contains(&"Ben is now called “Benjamin”.".to_owned()),
        "{said:#?}"
    );
    // Nobody else's name is taken over unseen.
    cleo.client().set_profile(called("Benjamin")).await?;
    eventually("Ada is warned", || async {
        let others = ada.client().other_accounts().await.unwrap();
        others.iter().any(|other| other.known_name == "Benjamin")
    })
    .await;
    // Who comes later is told too; a name that can't be one is refused.
    let dora = Person::new("Dora", &server).await;
    let link = ada.client().create_link(LinkOptions::default()).await?;
    dora.client().add_contact(&link.uri).await?;
    sees_red(&dora, &adas).await;
    assert!(dora.client().find_contact("Ada Lovelace").await.is_ok());
    for name in ["", "  ", "two\nlines", &"x".repeat(65)] {
        let refused = ada.client().set_profile(called(name)).await;
        assert_eq!(refused.unwrap_err().code(), "account.name_invalid");
    }
    let refused = ada.client().set_profile(looks(Some(b"<svg/>".to_vec())));
    assert_eq!(refused.await.unwrap_err().code(), "media.cannot_clean");
    // Without a picture there is none, for anybody.
    ada.client().set_profile(looks(None)).await?;
    for other in [&ben, &cleo, &dora] {
        eventually("there is none", || async {
            colour(other, &adas).await.is_none()
        })
        .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn own_devices_share_it_and_new_devices_of_others_are_told() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let (adas, bens) = (id_of(&ada).await, id_of(&ben).await);
    ada.client()
        .set_profile(looks(Some(picture([250, 0, 0]))))
        .await?;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    sees_red(&laptop, &adas).await;
    laptop.client().set_profile(called("Countess")).await?;
    eventually("the other device follows", || async {
        ada.client().profile().await.unwrap().name == "Countess"
    })
    .await;
    assert!(ada.client().profile().await?.picture.is_some());
    sees_red(&ben, &adas).await;
    eventually("Ben knows the name", || async {
        ben.client().find_contact("Countess").await.is_ok()
    })
    .await;
    // Ben's new device was told nothing of what came before.
    let tablet = Person::links(&ben, "Ben's tablet", &server).await;
    sees_red(&tablet, &adas).await;
    assert_eq!(colour(&tablet, &bens).await, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_picture_is_not_looked_at_until_they_are_accepted() -> Outcome {
    let server = FakeServer::new();
    let (ada, mallory) = (
        Person::new("Ada", &server).await,
        Person::new("Mallory", &server).await,
    );
    for person in [&ada, &mallory] {
        let red = looks(Some(picture([250, 0, 0])));
        person.client().set_profile(red).await?;
    }
    let options = LinkOptions {
        uses: 10,
        ..LinkOptions::default()
    };
    let link = ada.client().create_link(options).await?;
    mallory.client().add_contact(&link.uri).await?;
    eventually("the request is there", || async {
        !ada.client().requests().await.unwrap().is_empty()
    })
    .await;
    mallory.client().set_profile(called("Mal")).await?;
    eventually("the name is there", || async {
        ada.client().requests().await.unwrap()[0].person.name == "Mal"
    })
    .await;
    ada.settle().await;
    let (adas, mallorys) = (id_of(&ada).await, id_of(&mallory).await);
    assert_eq!(colour(&ada, &mallorys).await, None);
    assert_eq!(ada.client().pictures().await?.len(), 1, "her own");
    assert_eq!(colour(&mallory, &adas).await, None, "and they know no more");
    ada.client().accept_request(&mallorys).await?;
    assert!(is_red(colour(&ada, &mallorys).await));
    sees_red(&mallory, &adas).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hostile_app_says_of_itself_is_bounded() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut mallory) = (
        Person::new("Ada", &server).await,
        Person::new("Mallory", &server).await,
    );
    meet(&mallory, &ada).await;
    let mallorys = id_of(&mallory).await;
    for person in [&ada, &mallory] {
        person.settle().await;
    }
    let mut stamp = 1_000_000;
    for (name, bytes, taken) in [
        // No picture at all, one that is none, and one that is too large.
        ("Mal", &b"<svg onload=alert(1)>"[..], Some("Mal")),
        ("Mala", &[0xff; 16 * 1024][..], None),
        ("M\u{0}", &b""[..], None),
        (&"M".repeat(65), &b""[..], None),
        ("Malo", &b"\xff\xd8\xff\xe0\x00\x10JFIF"[..], Some("Malo")),
    ] {
        stamp += 1;
        says_of_itself(&mut mallory, name, bytes, stamp).await;
        mallory.says("Ada", name).await;
        has_heard(&ada, name).await;
        let known = ada.client().contacts().await?.remove(0).name;
        if let Some(taken) = taken {
            assert_eq!(known, taken);
        } else {
            assert_ne!(known, name);
        }
        assert_eq!(colour(&ada, &mallorys).await, None);
    }
    // What is older comes to nothing.
    says_of_itself(&mut mallory, "Old", b"", 5).await;
    mallory.says("Ada", "Again").await;
    has_heard(&ada, "Again").await;
    assert_eq!(ada.client().contacts().await?[0].name, "Malo");
    Ok(())
}

/// Waits until this is the last message that came, whoever it is from.
async fn has_heard(person: &Person, text: &str) {
    eventually("what was said is there", || async {
        let chats = person.client().chats().await.unwrap();
        let last = chats.iter().filter_map(|chat| chat.last.as_ref());
        last.into_iter().any(|last| last.text == text)
    })
    .await;
}

/// The person's app tells what no honest one would.
async fn says_of_itself(person: &mut Person, name: &str, picture: &[u8], stamp: i64) {
    let field = |tag: u8, bytes: &[u8]| {
        let mut field = vec![tag];
        let mut length = bytes.len();
        while length > 0x7f {
            field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        field.push(u8::try_from(length).unwrap());
        field.extend_from_slice(bytes);
        field
    };
    let value = [field(0x0a, name.as_bytes()), field(0x12, picture)].concat();
    person.quit().await;
    person.tamper(&format!(
        "INSERT OR REPLACE INTO shared (key, value, stamp, device, told) VALUES (x'66', x'{}', {stamp}, zeroblob(16), 1);
         DELETE FROM profile_told;
         INSERT OR REPLACE INTO profile_due (conversation, not_before_ms) SELECT id, 1 FROM conversations;",
        data_encoding::HEXLOWER.encode(&value)
    ));
    person.reopen().await;
    person.settle().await;
}
