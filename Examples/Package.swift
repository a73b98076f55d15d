// swift-tools-version: 6.2
import PackageDescription

/// The documentation's programs, a package of their own: they see of Immuta what any other package sees.
let package = Package(
  name: "examples",
  platforms: [.macOS(.v15)],
  dependencies: [
    // By path, under the name that the product is asked for by, whatever the folder is called.
    .package(name: "immuta", path: "..")
  ],
  targets: [
    example("quickstart", "Quickstart"),
    example("transactions", "Transactions"),
    example("follow-other-process", "FollowOtherProcess"),
    example("event-store", "EventStore"),
  ],
  swiftLanguageModes: [.v6]
)

func example(_ name: String, _ folder: String) -> Target {
  .executableTarget(
    name: name, dependencies: [.product(name: "Immuta", package: "immuta")], path: "Sources/\(folder)")
}
