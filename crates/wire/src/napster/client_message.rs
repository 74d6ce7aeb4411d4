//! What clients send to a directory.

use super::message::messages;
use super::*;

messages! {
    /// A message from a client to a directory.
    pub enum ClientMessage<'a> {
        /// Log in.
        2 => Login(login: Login<'a>),
        /// The version of an old client; no answer.
        4 => Version(text: Text<'a>),
        /// Register a nick and log in.
        6 => Register(login: Login<'a>),
        /// Is that nick free?
        7 => CheckNick(nick: Nick<'a>),
        /// Is that the password?
        11 => CheckPassword(check: PasswordCheck<'a>),
        /// Registration details; ignored.
        14 => Details(text: Text<'a>),
        /// Offer a file.
        100 => Share(share: Share<'a>),
        /// Take a file back.
        102 => Unshare(unshare: Unshare<'a>),
        /// Take all files back (G; A does not know it).
        110 => UnshareAll,
        /// Search; read the text with [`Query::parse`].
        200 => Search(query: Text<'a>),
        /// Ask for a file.
        203 => Request(file: NickFile<'a>),
        /// Say something to a user.
        205 => PrivateMessage(message: NickText<'a>),
        /// Watch a user.
        207 => WatchUser(nick: Nick<'a>),
        /// Watch a user, from the list at login.
        208 => WatchUserAtLogin(nick: Nick<'a>),
        /// List a user's files.
        211 => Browse(browse: Browse<'a>),
        /// How big is this server?
        214 => AskStats,
        /// Who has that content?
        215 => ResumeSearch(search: ResumeSearch<'a>),
        /// A download begins.
        218 => DownloadBegun,
        /// A download ended.
        219 => DownloadEnded,
        /// An upload begins.
        220 => UploadBegun,
        /// An upload ended.
        221 => UploadEnded,
        /// Optional data ports; ignored.
        300 => DataPorts(text: Text<'a>),
        /// Watch a user no more.
        303 => UnwatchUser(nick: Nick<'a>),
        /// Whom do I ignore?
        320 => AskIgnored,
        /// Ignore a user.
        322 => Ignore(nick: Nick<'a>),
        /// Ignore a user no more.
        323 => Unignore(nick: Nick<'a>),
        /// Ignore nobody any more.
        326 => ClearIgnored,
        /// Join a channel.
        400 => JoinChannel(channel: Nick<'a>),
        /// Leave a channel.
        401 => PartChannel(channel: Nick<'a>),
        /// Say something in a channel.
        402 => Say(say: Say<'a>),
        /// Give a channel another topic.
        410 => SetTopic(topic: Say<'a>),
        /// Ask a firewalled user to push a file.
        500 => RequestPush(file: NickFile<'a>),
        /// How fast is that user's line?
        600 => AskSpeed(nick: Nick<'a>),
        /// What is known of a user?
        603 => Whois(nick: Nick<'a>),
        /// The file may be fetched.
        608 => AcceptUpload(file: NickFile<'a>),
        /// The file may not be fetched; not relied on (use 619).
        609 => RefuseUpload(file: NickFile<'a>),
        /// Throw a user out.
        610 => Kill(kill: Kill<'a>),
        /// List the channels.
        617 => ListChannels,
        /// Not now.
        619 => QueueFull(full: QueueFull<'a>),
        /// The message of the day again.
        621 => AskMotd,
        /// That user's data port cannot be reached.
        626 => DataPortError(nick: Nick<'a>),
        /// To all operators.
        627 => TellOperators(text: Text<'a>),
        /// To everybody.
        628 => TellEverybody(text: Text<'a>),
        /// Ask a user for their list directly.
        640 => DirectBrowse(nick: Nick<'a>),
        /// Yes, that user may have the list directly.
        641 => AcceptDirectBrowse(nick: Nick<'a>),
        /// Change our speed.
        700 => SetSpeed(speed: NewSpeed),
        /// Change our password.
        701 => SetPassword(password: Text<'a>),
        /// Change our mail address.
        702 => SetEmail(email: Text<'a>),
        /// Change our data port.
        703 => SetPort(port: Number),
        /// Is the server there?
        750 => PingServer(args: Text<'a>),
        /// Is that user there?
        751 => Ping(ping: Ping<'a>),
        /// I am here.
        752 => Pong(ping: Ping<'a>),
        /// What is this server?
        801 => AskVersion,
        /// An emote in a channel.
        824 => Emote(say: Say<'a>),
        /// List the channels with all details.
        827 => ListChannelsFully,
        /// Who is in a channel?
        830 => ListMembers(channel: Nick<'a>),
        /// Offer several files of one directory.
        870 => ShareDirectory(share: ShareDirectory<'a>),
        /// Capability of a TekNap; never sent by us.
        920 => Capability(capability: Capability<'a>),
        /// A server introduces itself: from here on the connection is a link.
        10010 => ServerHello(hello: LinkHello<'a>),
        /// Link to that server.
        10100 => LinkServer(text: Text<'a>),
        /// Unlink that server.
        10101 => UnlinkServer(text: Text<'a>),
        /// Stop that server.
        10110 => StopServer(text: Text<'a>),
        /// Forget that server.
        10111 => ForgetServer(text: Text<'a>),
        /// List the links.
        10112 => ListLinks,
        /// Usage numbers.
        10115 => AskUsage,
        /// Read the configuration again.
        10117 => Reload,
        /// Offer a file of any type.
        10300 => ShareTyped(share: ShareTyped<'a>),
        /// List a user's files by directory (A only).
        10301 => BrowseGrouped(browse: Browse<'a>),
    }
}
