import Immuta
import ImmutaLogStore
import ImmutaTransforms

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Makes the logs that the tests in a browser look at, and appends to them.
///
/// Usage: test-logs make DIRECTORY MANY      (MANY records in the log “million”)
///        test-logs store DIRECTORY          (a store of four partitions)
///        test-logs append DIRECTORY NAME    (each line of the input, until it ends)
@main
struct TestLogs {
  static func main() async throws {
    let arguments = CommandLine.arguments
    switch (arguments.dropFirst().first, arguments.count) {
    case ("make", 4): try await make(in: arguments[2], many: Int(arguments[3]) ?? 0)
    case ("store", 3): try await store(in: arguments[2])
    case ("append", 4): try await append(to: arguments[3], in: arguments[2])
    default: fatalError("usage: test-logs make DIRECTORY MANY | store DIRECTORY | append DIRECTORY NAME")
    }
  }

  private static func make(in directory: String, many: Int) async throws {
    let names = ["audit", "hostile", "million", "orders", "web"]
    var configuration = Storage.Configuration()
    configuration.segments.maximumBytes = 64 << 10
    let storage = try Storage(directory: directory, namespaces: names, configuration: configuration)
    try await hostile(storage.log("hostile"))
    try await orders(storage.log("orders"))
    try await web(storage.log("web"))
    for number in 0..<40 { try await storage.append("user \(number % 7) signed in", to: "audit") }
    try await storage.shutdown()
    try await million(in: directory, many)
    try await sealed(in: directory)
    try await squeezed(in: directory)
  }

  /// Compressed: everybody can decode that.
  private static func squeezed(in directory: String) async throws {
    var configuration = Storage.Configuration()
    configuration.codec = .deflate()
    let storage = try Storage(directory: directory, namespaces: ["squeezed"], configuration: configuration)
    for number in 0..<20 {
      try await storage.append(
        "readable, number \(number), " + String(repeating: "again and ", count: 40), to: "squeezed")
    }
    try await storage.shutdown()
  }

  /// Messages of 40 people in four partitions.
  private static func store(in directory: String) async throws {
    let store = try LogStore(directory: directory, partitions: 4)
    for number in 0..<400 { try await store.append("message \(number)", key: "person \(number % 40)") }
    let consumer = try store.consumer("mailer")
    while let message = try consumer.nextAtOnce() {
      if message.sequence < 10 { try await consumer.acknowledge(message) }
    }
    try await store.shutdown()
  }

  /// Records that a page must show, and not obey.
  private static func hostile(_ log: Log) async throws {
    let texts = [
      "<img src=x onerror=\"document.title='owned'\">", "</script><script>document.title='owned'</script>",
      "\u{0}\u{7}\u{8}\u{1b}[31mred\u{1b}[0m\u{7f}", "abc\u{202e}txt.exe\u{202c}\u{200f}\u{2066}\u{feff}",
      "{\"html\":\"<b onmouseover=alert(1)>\",\"big\":12345678901234567890.50,\"deep\":[[],{},[1,{\"a\":null}]]}",
      "javascript:alert(1)", "two\nlines\tand a tab\r\n", "", "e\u{301}\u{ad}\u{2028}\u{e000}😀 日本語 עברית",
    ]
    for text in texts { try await log.append(text) }
    try await log.append([0xFF, 0xFE, 0xC3, 0x28, 0x3C, 0x62, 0x3E, 0x80, 0x00, 0xED, 0xA0, 0x80])
    try await log.append([UInt8](repeating: UInt8(ascii: "<"), count: 200_000))
    try await log.append((0..<3 << 20).map { UInt8(truncatingIfNeeded: $0) })
  }

  private static func orders(_ log: Log) async throws {
    var random = Numbers(state: 7)
    for number in 0..<600 {
      let items = (0...random.next(4)).map { _ in
        "{\"sku\":\"A-\(random.next(900) + 100)\",\"count\":\(random.next(5) + 1)}"
      }
      try await log.append(
        "{\"order\":\(10_000 + number),\"customer\":\"c\(random.next(80))\",\"items\":[\(items.joined(separator: ","))],"
          + "\"total\":\(random.next(20_000) + 500),\"state\":\"\(["placed", "paid", "sent"][random.next(3)])\"}")
      if number % 5 == 0 { try await Task.sleep(for: .milliseconds(random.next(12))) }
    }
    let billing = try log.consumer("billing")
    try await billing.acknowledge(through: 571)
    billing.close()
    let mail = try log.consumer("mail")
    try await mail.acknowledge(through: 340)
    mail.close()
    try log.workQueue("invoices").close()
  }

  private static func web(_ log: Log) async throws {
    var random = Numbers(state: 3)
    let paths = ["/", "/products", "/products/17", "/cart", "/checkout", "/style.css", "/search?q=lamp", "/login"]
    for number in 0..<4_000 {
      let status = [200, 200, 200, 200, 304, 404, 500][random.next(7)]
      try await log.append(
        "10.0.\(random.next(4)).\(random.next(250)) GET \(paths[random.next(paths.count)]) \(status) \(random.next(40_000)) "
          + "\(random.next(900))ms")
      if number % 40 == 0 { try await Task.sleep(for: .milliseconds(random.next(25))) }
    }
  }

  private static func million(in directory: String, _ count: Int) async throws {
    let storage = try Storage(directory: directory, namespaces: ["million"])
    let log = try storage.log("million")
    for start in stride(from: 0, to: count, by: 10_000) {
      let numbers = start..<min(start + 10_000, count)
      try await log.append(contentsOf: numbers.map { $0 == count * 3 / 4 ? "the needle is \($0)" : "record \($0)" })
    }
    try await storage.shutdown()
  }

  /// As if it were encrypted: nobody without the key can say more.
  private static func sealed(in directory: String) async throws {
    let turn = WholePayloadTransformer(name: "example-cipher") { bytes, _ in bytes.map { $0 &* 167 ^ 0x5A } }
    var configuration = Storage.Configuration()
    configuration.codec = Codec(name: "example-cipher", writing: turn, reading: turn)
    let storage = try Storage(directory: directory, namespaces: ["sealed"], configuration: configuration)
    for number in 0..<20 { try await storage.append("nobody may read this, number \(number)", to: "sealed") }
    try await storage.shutdown()
  }

  private static func append(to name: String, in directory: String) async throws {
    let storage = try Storage(directory: directory, namespaces: [name])
    while let line = readLine() { try await storage.append(line, to: name) }
    try await storage.shutdown()
  }
}

/// The same numbers each time, so that screenshots differ only where the page does.
private struct Numbers {
  var state: UInt64

  mutating func next(_ bound: Int) -> Int {
    // Wraps: it is a linear congruential generator.
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}
