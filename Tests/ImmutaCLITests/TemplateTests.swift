import ImmutaTestSupport
import Testing

@testable import ImmutaCLI

@Suite("cat --format with a template")
struct TemplateTests {
  let place = Workplace()

  @Test("Number, index, time, payload and its bytes stand where the template has them")
  func places() throws {
    try place.run("append", "e", input: "one\n\nthree\n")
    #expect(try place.run("cat", "e", "--format", "%n %i %s").text == "0 16 one\n1 27 \n2 35 three\n")
    #expect(try place.run("cat", "e", "--format", "%S bytes, 100 %%", "--limit", "1").text == "3 bytes, 100 %\n")
    let time = #/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 0\n$/#
    #expect(try place.run("cat", "e", "--format", "%t %n", "--limit", "1").text.wholeMatch(of: time) != nil)
  }

  @Test(
    "A record is a line, unless the template says how it ends",
    arguments: [
      (#"%s\n"#, "a\nb\n"), (#"%s\0"#, "a\u{0}b\u{0}"), (#"%n\t%s"#, "0\ta\n1\tb\n"), (#"\\%s"#, "\\a\n\\b\n"),
      ("%s\n", "a\nb\n"), (#"%s\n\n"#, "a\n\nb\n\n"), ("é %s", "é a\né b\n"),
    ])
  func endings(template: String, expected: String) throws {
    try place.run("append", "e", input: "a\nb\n")
    #expect(try place.run("cat", "e", "--format", template).text == expected)
  }

  @Test(
    "What is no format is an error that says what there is",
    arguments: [
      ("tex", "it must be text, json, hex, raw, or a template"), ("", "it must be text"), ("%x", "has no %x"),
      ("%é", "has no %é"), ("%", "ends with %"), (#"%s\q"#, #"has no \q"#), (#"%s\"#, #"ends with \"#),
      ("%p", "a namespace has no partitions"),
    ])
  func refused(template: String, reason: String) throws {
    try place.run("append", "e", input: "a\n")
    let outcome = try place.run("cat", "e", "--format", template)
    #expect(
      outcome.ending == .exit(64) && outcome.output.isEmpty && outcome.errors.contains(reason), "\(outcome.errors)")
  }

  @Test("The bytes of a payload come as they are, and %p is the partition of a store's message")
  func bytesAndPartitions() throws {
    try place.run("append", "e", "--delimiter", "none", input: [0xFF, 0x1B, 0x00])
    #expect(try place.run("cat", "e", "--format", "<%s>").output == [0x3C, 0xFF, 0x1B, 0x00, 0x3E, 0x0A])
    try place.run("logstore", "append", "s", "--partitions", "1", input: "key\tvalue\n")
    #expect(try place.run("logstore", "cat", "s", "--format", "%p/%n %s").text == "0/0 value\n")
  }
}
