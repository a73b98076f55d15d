#if JetStream
  import Foundation
  import Immuta
  import ImmutaTestSupport
  import Testing

  /// The tool and a cluster that runs: its servers are in IMMUTA_CLUSTER_URLS; where nodes may be killed, `Scripts/cluster` started it
  /// in the directory IMMUTA_CLUSTER_DIR.
  @Suite(
    "The tool on a cluster", .serialized, .timeLimit(.minutes(TestCluster.isLong ? 60 : 5)),
    .enabled(if: TestCluster.urls != nil, "needs a cluster: IMMUTA_CLUSTER_URLS, see Scripts/cluster"))
  struct ClusterTests {
    let place = Workplace()
    let urls: String
    /// Streams stay on the cluster: each test has its own.
    let name = "tool-\(String(UInt64.random(in: 0 ... .max), radix: 36))"

    init() throws {
      urls = try #require(TestCluster.urls)
    }

    @Test("What is appended on one machine is printed on another")
    func appended() throws {
      let appended = try place.run("append", name, "--url", urls, "--json", input: "one\n\nthree, é\n")
      #expect(appended.ending == .exit(0), "\(appended.errors)")
      let summary = try #require(try appended.objects().first)
      #expect(summary["records"] as? Int == 3 && summary["first"] as? Int == 0)
      let receipts = try place.run("append", name, "--url", urls, "--receipts", input: "four\nfive\n")
      #expect(receipts.text == "{\"sequence\":3}\n{\"sequence\":4}\n", "\(receipts.errors)")
      #expect(try place.run("cat", name, "--url", urls).text == "one\n\nthree, é\nfour\nfive\n")
      #expect(try place.run("cat", name, "--url", urls, "-n", "2").text == "four\nfive\n")
      #expect(try place.run("cat", name, "--url", urls, "--from", "1", "--limit", "2").text == "\nthree, é\n")
      #expect(try place.run("cat", name, "--url", urls, "--since", "1 h ago").lines.count == 5)
      #expect(try place.run("cat", name, "--url", urls, "--until", "1 h ago").text.isEmpty)
      #expect(try place.run("cat", name, "--url", urls, "--latest").text.isEmpty)
      let record = try #require(try place.run("cat", name, "--url", urls, "--json", "--limit", "1").objects().first)
      #expect(record["sequence"] as? Int == 0 && record["text"] as? String == "one" && record["index"] == nil)
      #expect(record["timestamp"] != nil)
      let beyond = try place.run("cat", name, "--url", urls, "--from", "9")
      #expect(beyond.ending == .exit(1) && beyond.errors.contains("beyond the end"))
      let missing = try place.run("cat", "\(name)-none", "--url", urls)
      #expect(missing.ending == .exit(1) && missing.errors.contains("there is no log"), "\(missing.errors)")
      #expect(try place.names().isEmpty, "nothing is made here")
    }

    @Test("cat --follow prints what comes, and --consumer goes on where it stopped")
    func followed() throws {
      try place.run("append", name, "--url", urls, input: "one\ntwo\n")
      let child = try place.start("cat", name, "--follow", "--url", urls)
      #expect(try child.line() == "one" && child.line() == "two")
      try place.run("append", name, "--url", urls, input: "three\n")
      #expect(try child.line() == "three")
      child.signal(SIGTERM)
      _ = try child.finish()
      #expect(try place.run("cat", name, "--consumer", "mailer", "--url", urls).text == "one\ntwo\nthree\n")
      try place.run("append", name, "--url", urls, input: "four\n")
      #expect(try place.run("cat", name, "--consumer", "mailer", "--url", urls).text == "four\n")
      let consumers = try place.run("consumers", name, "--json", "--url", urls)
      let consumer = try #require(try consumers.objects().first)
      #expect(consumer["name"] as? String == "mailer" && consumer["position"] as? Int == 4)
      #expect(consumer["lag"] as? Int == 0 && consumer["owner"] is NSNull)
    }

    @Test("consumers seek and remove change a consumer that nobody has")
    func consumersAreChanged() throws {
      try place.run("append", name, "--url", urls, input: "one\ntwo\nthree\n")
      let missing = try place.run("consumers", "remove", name, "mailer", "--url", urls)
      #expect(
        missing.ending == .exit(1) && missing.errors.contains("there is no consumer “mailer”"), "\(missing.errors)")
      // Makes it.
      #expect(try place.run("consumers", "seek", name, "mailer", "--to", "2", "--url", urls).ending == .exit(0))
      #expect(try place.run("cat", name, "--consumer", "mailer", "--url", urls).text == "three\n")
      #expect(try place.run("consumers", "seek", name, "mailer", "--to", "1 h ago", "--url", urls).ending == .exit(0))
      let child = try place.start("cat", name, "--consumer", "mailer", "--follow", "--url", urls)
      #expect(try child.line() == "one")
      for refused in [
        try place.run("consumers", "seek", name, "mailer", "--to", "0", "--url", urls),
        try place.run("consumers", "remove", name, "mailer", "--url", urls),
      ] {
        #expect(refused.ending == .exit(75) && refused.errors.contains("mailer"), "\(refused.errors)")
      }
      // It lets go of the consumer as it ends.
      child.signal(SIGTERM)
      #expect(try child.finish().ending == .exit(128 + SIGTERM))
      let beyond = try place.run("consumers", "seek", name, "mailer", "--to", "9", "--url", urls)
      #expect(beyond.ending == .exit(1) && beyond.errors.contains("beyond the end"), "\(beyond.errors)")
      let removed = try place.run("consumers", "remove", name, "mailer", "--url", urls)
      #expect(removed.ending == .exit(0), "\(removed.errors)")
      #expect(try place.run("consumers", name, "--json", "--url", urls).objects().isEmpty)
      let both = try place.run("consumers", "remove", name, "mailer", "--url", urls, "--dir", "x")
      #expect(both.ending == .exit(64), "\(both.errors)")
      let none = try place.run("consumers", "remove", "\(name)-none", "mailer", "--url", urls)
      #expect(none.ending == .exit(1) && none.errors.contains("there is no log"), "\(none.errors)")
      #expect(try place.names().isEmpty, "nothing is made here")
    }

    @Test("info lists the logs of a cluster")
    func info() throws {
      try place.run("append", name, "--url", urls, "--replicas", "1", input: "one\ntwo\n")
      let all = try place.run("info", "--url", urls)
      #expect(all.ending == .exit(0) && all.text.contains(name), "\(all.errors)")
      let known = try place.run("info", name, "--json", "--url", urls)
      try JSONSchema().expect(known.lines, as: "info", "info --url")
      let object = try #require(try known.objects().first)
      #expect(object["records"] as? Int == 2 && object["replicas"] as? Int == 1 && object["health"] as? String == "ok")
      #expect(try place.run("info", "\(name)-none", "--url", urls).ending == .exit(1))
    }

    @Test("A log is mirrored, and comes back as it was")
    func mirrored() throws {
      let lines = (0..<5000).map { "record \($0)\n" }.joined()
      try place.run("append", name, input: lines)
      let run = try place.run("mirror", name, "--to", urls, "--no-follow", "--json")
      #expect(run.ending == .exit(0), "\(run.errors)")
      try JSONSchema().expect(run.lines, as: "mirror", "mirror")
      #expect(try run.objects().last?["count"] as? Int == 5000 && run.objects().last?["lag"] as? Int == 0)
      #expect(try place.run("cat", name, "--url", urls).text == lines)
      let back = try place.run("mirror", name, "--from", urls, "--dir", "back", "--no-follow")
      #expect(back.ending == .exit(0), "\(back.errors)")
      #expect(try place.run("cat", name, "--dir", "back").text == lines)
      #expect(try place.run("verify", name, "--dir", "back").ending == .exit(0))
      // Another log of that name.
      try place.run("append", name, "--dir", "another", input: "x\n")
      let refused = try place.run("mirror", name, "--dir", "another", "--to", urls, "--no-follow")
      #expect(refused.ending == .exit(1) && refused.errors.contains("is not a copy of this one"), "\(refused.errors)")
      let refusedHere = try place.run("mirror", name, "--dir", "another", "--from", urls, "--no-follow")
      #expect(refusedHere.ending == .exit(1), "\(refusedHere.errors)")
      #expect(try place.run("info", name, "--json", "--url", urls).objects().first?["count"] as? Int == 5000)
    }

    /// `IMMUTA_MIRROR_RECORDS=1000000` makes it a million records, and kills the leader five times in place of once.
    @Test(
      "A mirror that is killed ten times, while leaders are killed, copies each record once",
      .enabled(if: TestCluster.directory != nil, "needs a cluster whose nodes may be killed: IMMUTA_CLUSTER_DIR"))
    func killed() throws {
      let (total, rounds) = (TestCluster.mirroredRecords, 10)
      let roundsWithoutLeader = TestCluster.isLong ? [2, 3, 5, 7, 9] : [3]
      // What there is when it begins; the rest comes while it is copied.
      var appended = total / (rounds + 1)
      try place.run("append", name, input: Self.lines(0..<appended))
      for round in 0..<rounds {
        let mirror = try place.start("mirror", name, "--to", urls, "--json")
        // There is always more than it has copied when it is killed.
        let count = total * (round + 2) / (rounds + 1)
        let more = try place.run("append", name, input: Self.lines(appended..<count))
        #expect(more.ending == .exit(0), "\(more.errors)")
        appended = count
        // The first times before it has said anything.
        if round > 1 { try Self.wait(for: mirror, toCopy: total * round / (rounds + 1)) }
        let isWithoutLeader = roundsWithoutLeader.contains(round)
        if isWithoutLeader { try TestCluster.killLeader(of: name) }
        usleep(useconds_t.random(in: 0..<300_000))
        mirror.signal(SIGKILL)
        _ = try mirror.waitForEnd()
        if isWithoutLeader { try TestCluster.restart() }
      }
      #expect(appended == total)
      let last = try place.run("mirror", name, "--to", urls, "--no-follow", "--json")
      #expect(last.ending == .exit(0), "\(last.errors)")
      #expect(try last.objects().last?["count"] as? Int == total)
      let step = 50_000
      for start in stride(from: 0, to: total, by: step) {
        let end = min(total, start + step)
        let copy = try place.run("cat", name, "--url", urls, "--from", "\(start)", "--limit", "\(end - start)")
        #expect(copy.ending == .exit(0), "\(copy.errors)")
        #expect(copy.text == Self.lines(start..<end), "records \(start) to \(end - 1) differ")
      }
    }

    private static func lines(_ numbers: Range<Int>) -> String {
      numbers.map { "record \($0) of a log that is mirrored while everything dies\n" }.joined()
    }

    /// Reads what a mirror says until the copy has so many records. Ends by the child's deadline.
    private static func wait(for mirror: Child, toCopy count: Int) throws {
      var copied = 0
      while copied < count {
        let object = try #require(try mirror.object(), "the mirror ended: \((try? mirror.errorLine()) ?? "")")
        copied = try #require(object["count"] as? Int)
      }
    }
  }

  /// The cluster that the tests were given.
  enum TestCluster {
    static let urls = ProcessInfo.processInfo.environment["IMMUTA_CLUSTER_URLS"]
    static let directory = ProcessInfo.processInfo.environment["IMMUTA_CLUSTER_DIR"]
    static let mirroredRecords =
      ProcessInfo.processInfo.environment["IMMUTA_MIRROR_RECORDS"].flatMap { Int($0) } ?? 60_000
    static let isLong = mirroredRecords > 60_000

    /// Kills the node that leads a stream.
    static func killLeader(of stream: String) throws {
      let node = try script(["leader", try #require(directory), stream])
      try script(["kill", try #require(directory), node])
    }

    /// Starts what is down, and waits until all is well.
    static func restart() throws { try script(["restart", try #require(directory)]) }

    /// What `Scripts/cluster` prints at last.
    @discardableResult
    private static func script(_ arguments: [String]) throws -> String {
      let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
      let process = Process()
      process.executableURL = root.appending(path: "Scripts/cluster")
      process.arguments = arguments
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      try #require(process.terminationStatus == 0, "Scripts/cluster \(arguments.joined(separator: " "))")
      return text.split(separator: "\n").last.map(String.init) ?? ""
    }
  }
#endif
