/// Records as programs write them, made up, the same in every run.
enum RecordKind: String, CaseIterable {
  case json = "JSON events"
  case access = "access log lines"
  case random = "random bytes"

  /// For a heading.
  var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }

  /// The first `count` of them.
  func records(_ count: Int) -> [[UInt8]] {
    var generator = SplitMix(state: 42)
    return (0..<count).map { number in
      switch self {
      case .json: Self.event(number, &generator)
      case .access: Self.line(number, &generator)
      case .random: (0..<256).map { _ in UInt8.random(in: 0...255, using: &generator) }
      }
    }
  }

  private static func event(_ number: Int, _ generator: inout SplitMix) -> [UInt8] {
    let user = Int.random(in: 1...50_000, using: &generator)
    let names = ["cart.item_added", "page.viewed", "order.placed", "session.started", "search.performed"]
    let name = names[Int.random(in: 0..<names.count, using: &generator)]
    let id = String(generator.next(), radix: 16)
    let cents = Int.random(in: 99...99_999, using: &generator)
    return Array(
      """
      {"id":"\(id)","time":"\(time(number))","type":"\(name)","user":{"id":\(user),"country":"\(country(user))"},\
      "product":{"sku":"SKU-\(cents % 4093)","price":\(cents),"currency":"EUR"},"attempt":\(1 + cents % 3)}
      """.utf8)
  }

  private static func line(_ number: Int, _ generator: inout SplitMix) -> [UInt8] {
    let client = Int.random(in: 0..<4096, using: &generator)
    let page = Int.random(in: 0..<900, using: &generator)
    let bytes = Int.random(in: 180...90_000, using: &generator)
    let status = [200, 200, 200, 200, 304, 404, 301][page % 7]
    let agents = [
      "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
      "curl/8.5.0",
    ]
    return Array(
      """
      198.51.\(client >> 8).\(client & 255) - - [\(time(number))] "GET /articles/\(page)?page=\(page % 9) HTTP/1.1" \
      \(status) \(bytes) "https://www.example.com/articles/\(page / 3)" "\(agents[client % 3])"
      """.utf8)
  }

  private static func country(_ user: Int) -> String { ["DE", "FR", "US", "JP", "BR", "IN"][user % 6] }

  private static func time(_ number: Int) -> String {
    let second = number / 25
    let two = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
    return
      "2026-01-01T\(two(second / 3600 % 24)):\(two(second / 60 % 60)):\(two(second % 60)).\(100 + number % 25 * 36)Z"
  }
}

/// SplitMix64 (Steele, Lea, Flood).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
