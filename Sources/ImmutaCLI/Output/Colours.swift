/// Whether what is printed has colours, and which.
///
/// They set apart what the tool says of a record from what the record holds. Payloads have none of their own: they are printed as
/// they are.
enum Colours {
  /// What is said of a record: its number, its place, its time, and the names of members.
  static let label: StaticString = "\u{1B}[36m"
  /// Text in JSON.
  static let text: StaticString = "\u{1B}[32m"
  static let end: StaticString = "\u{1B}[0m"

  /// Whether there are any: on a terminal that knows them, unless NO_COLOR or CLICOLOR=0 says otherwise, and everywhere with
  /// CLICOLOR_FORCE.
  ///
  /// - Parameter variable: a variable of the environment; nil where it is not set, or empty.
  static func areOn(isTerminal: Bool, _ variable: (String) -> String?) -> Bool {
    if variable("NO_COLOR") != nil { return false }
    if let force = variable("CLICOLOR_FORCE"), force != "0" { return true }
    guard isTerminal, variable("CLICOLOR") != "0", let kind = variable("TERM") else { return false }
    return kind != "dumb"
  }

  /// Adds JSON that the tool has made, with colours: members' names and texts. It may end within an object, not within a text.
  static func append(json: some Sequence<UInt8>, to output: inout [UInt8]) {
    var text: [UInt8] = []
    var isInText = false
    var isEscaped = false
    func finish(_ next: UInt8?, _ output: inout [UInt8]) {
      guard !text.isEmpty else { return }
      output.append(next == UInt8(ascii: ":") ? label : Self.text)
      output += text
      output.append(end)
      text = []
    }
    for byte in json {
      if isInText {
        text.append(byte)
        isInText = isEscaped || byte != UInt8(ascii: "\"")
        isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        continue
      }
      finish(byte, &output)
      isInText = byte == UInt8(ascii: "\"")
      if isInText { text = [byte] } else { output.append(byte) }
    }
    finish(nil, &output)
  }
}
