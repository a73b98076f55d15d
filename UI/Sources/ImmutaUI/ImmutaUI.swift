import ArgumentParser
import Hummingbird
import Immuta
import Logging

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The command: `immuta-ui`.
@main
struct ImmutaUI: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "immuta-ui",
    abstract: "Show the logs of a directory in a browser.",
    discussion: """
      Prints an address; open it in a browser on this machine:
        immuta-ui --dir /var/lib/shop

      The same address each time, and a token that survives a restart:
        immuta-ui --port 4800 --token-file ~/.immuta-ui-token

      A store of partitions, as `immuta logstore` keeps it:
        immuta-ui --dir chat

      It only reads, as another process: programs go on appending meanwhile. Payloads that were compressed are decoded, and \
      encrypted ones with --key-file; what cannot be decoded is shown as it is stored, and the page says why. Ctrl-C ends it.

      Whoever has the address with its token can read every record. It listens on this machine alone, unless --host says \
      otherwise; there is no encryption on the way, so use a tunnel (ssh -L 4800:127.0.0.1:4800) instead of another host.
      """)

  @Option(help: ArgumentHelp("The directory of the logs.", valueName: "directory"), completion: .directory)
  var dir = "./logs"

  @Option(help: ArgumentHelp("The address to listen on.", valueName: "address"))
  var host = "127.0.0.1"

  @Option(help: ArgumentHelp("The port to listen on; 0 takes a free one.", valueName: "n"))
  var port = 0

  @Flag(help: "Let everybody in who can reach the port.")
  var noToken = false

  @Option(
    help: ArgumentHelp(
      "Take the token from this file. It is made, for its owner alone, if it does not exist.", valueName: "file"),
    completion: .file())
  var tokenFile: String?

  @Flag(help: "Use also files that another user put there, who may change them: by default they are refused.")
  var allowForeignOwner = false

  @OptionGroup(title: "Codec") var decodingOptions: DecodingOptions

  func validate() throws {
    guard (0...65_535).contains(port) else {
      throw ValidationError("--port is \(port); it must be from 0 to 65535")
    }
    if host.isEmpty || !host.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) {
      throw ValidationError("--host is no address; give one such as 127.0.0.1")
    }
    if noToken, tokenFile != nil { throw ValidationError("use either --no-token or --token-file") }
  }

  func run() async throws {
    // A browser that goes away is no reason to end.
    StandardStreams.ignoreClosedPipes()
    do {
      try await serve()
    } catch {
      StandardStreams.say("immuta-ui: \(Failure(error).message)")
      throw ExitCode.failure
    }
  }

  private func serve() async throws {
    try LogShelf.checkDirectory(dir)
    let token = noToken ? nil : try tokenFile.map { try Token(file: $0) } ?? Token()
    let shelf = LogShelf(
      directory: dir, acceptsFilesOfOthers: allowForeignOwner, decoding: try decodingOptions.decoding())
    if token == nil, !Access.isLoopback(host) {
      StandardStreams.say("immuta-ui: note: everybody who can reach \(host) can read every record")
    }
    let server = Server(shelf: shelf, access: Access(token: token, host: host))
    var logger = Logger(label: "immuta-ui")
    logger.logLevel = .critical
    let (dir, host) = (dir, host)
    let application = Application(
      router: server.router(),
      configuration: .init(address: .hostname(host, port: port), serverName: nil),
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? 0
        let name = host.contains(":") ? "[\(host)]" : host
        let query = token.map { "?token=\($0.text)" } ?? ""
        StandardStreams.print("\(dir) is shown at http://\(name):\(port)/\(query)")
      },
      logger: logger)
    try await application.runService()
  }
}
