//! A directory client by hand: shares files or fetches one, prints every event.
//!
//! `directory_client SERVER NICK LISTEN share FILE…` or `… fetch WORD FILE`; port 0 in LISTEN is a firewalled client.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;

use throng_machine::{ContentId, Endpoint};
use throng_overlay::directory::client::{
    Client, Command, Config, Download, DownloadId, Event, Search, SharedFile,
};
use throng_overlay::discovery::Ticket;
use throng_runtime::directory::client::Files;
use throng_runtime::net::{Driver, NetConfig, Sockets};

const COPY: ContentId = ContentId(1_000_000);
const USAGE: &str = "SERVER NICK LISTEN share FILE… | fetch WORD FILE";

fn share(driver: &Driver<Files>, paths: &[String]) -> std::io::Result<()> {
    for (index, path) in paths.iter().enumerate() {
        let (content, file) = (ContentId(index as u32), File::open(path)?);
        let size = file.metadata()?.len();
        let title = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        driver.with_app(|app, _| app.open(content, file));
        driver.command(Command::Share(SharedFile::new(content, &title.unwrap_or_default(), size)));
    }
    Ok(())
}

/// What to do next in order to fetch.
fn follow(event: &Event, word: &str) -> Option<Command> {
    match event {
        Event::LoggedIn(..) => {
            Some(Command::Find(Ticket(1), Search::for_words(word.split(' ').map(str::to_owned).collect())))
        }
        Event::Found(_, file) => Some(Command::Download(Box::new(Download {
            id: DownloadId(1),
            server: file.server,
            nick: file.nick.clone(),
            name: file.name.clone(),
            size: Some(file.size),
            root: file.root,
            content: COPY,
            resume: None,
            part: None,
            magnet: false,
        }))),
        _ => None,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [server, nick, listen, verb, rest @ ..] = args.as_slice() else { return Err(USAGE.into()) };
    let (server, listen): (SocketAddr, SocketAddr) = (server.parse()?, listen.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let net = NetConfig { listen: (listen.port() != 0).then_some(listen), ..NetConfig::default() };
        let config = Config { nick: nick.clone().into(), data_port: listen.port(), ..Config::default() };
        let driver = Driver::start(Client::new(config), Files::default(), Sockets::bind(&net)?, net)?;
        match (verb.as_str(), rest) {
            ("share", paths) => share(&driver, paths)?,
            ("fetch", [_, out]) => {
                let file = File::create(out)?;
                driver.with_app(|app, _| app.open(COPY, file));
            }
            _ => return Err(USAGE.into()),
        }
        driver.command(Command::Join(vec![Endpoint::from(server)]));
        let told = driver.look(|_, app| app.told());
        loop {
            while let Some(event) = driver.with_app(|app, _| app.next_event()) {
                println!("{event:?}");
                match event {
                    Event::Downloaded(_) | Event::DownloadFailed(..) => return Ok(()),
                    event if verb == "fetch" => {
                        follow(&event, &rest[0]).into_iter().for_each(|command| driver.command(command));
                    }
                    _ => {}
                }
            }
            told.notified().await;
        }
    })
}
