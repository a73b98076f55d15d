/// The version of Immuta: `immuta --version`. A test compares it with the newest one in CHANGELOG.md; nothing else says it.
enum Version {
  static let current = "0.2.0"
}
