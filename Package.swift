// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is built with.
let settings: [SwiftSetting] = [
  // An async function runs on its caller's executor: iterating a stream from an actor costs no hop per record.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  // `any` is written where a value is boxed, so that a box is never an accident.
  .enableUpcomingFeature("ExistentialAny"),
  // A file imports what it uses; a public signature cannot lean on an import that its users don't have.
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The engine's own setting: every unsafe expression is marked where it stands.
let strict: [SwiftSetting] = settings + [.strictMemorySafety()]

let package = Package(
  name: "immuta",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Immuta", targets: ["Immuta"]),
    .library(name: "Solid", targets: ["Solid"]),
    .library(name: "ImmutaTestSupport", targets: ["ImmutaTestSupport"]),
    .executable(name: "immuta", targets: ["ImmutaCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    .target(name: "CRC32C"),
    .target(name: "CFileCalls"),
    .target(name: "Locking", swiftSettings: strict),
    .target(name: "Solid", dependencies: ["Locking"], swiftSettings: strict),
    .target(
      name: "Immuta",
      dependencies: ["CFileCalls", "CRC32C", "Locking", "Solid", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "ImmutaCLI",
      dependencies: ["Immuta", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: settings
    ),
    .target(name: "ImmutaTestSupport", dependencies: ["Immuta"], swiftSettings: settings),
    .testTarget(name: "CRC32CTests", dependencies: ["CRC32C"], swiftSettings: settings),
    .testTarget(name: "SolidTests", dependencies: ["Solid"], swiftSettings: settings),
    .testTarget(
      name: "ImmutaTests", dependencies: ["Immuta"], resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "ImmutaCLITests", dependencies: ["Immuta", "ImmutaCLI"], resources: [.copy("Fixtures")],
      swiftSettings: settings),
    .executableTarget(
      name: "CountedWork", dependencies: ["Immuta"], path: "Tests/CountedWork", swiftSettings: settings),
    .executableTarget(
      name: "TortureChild", dependencies: ["Immuta", "ImmutaTestSupport"], path: "Tests/TortureChild",
      swiftSettings: settings),
    .testTarget(
      name: "TortureTests", dependencies: ["Immuta", "ImmutaCLI", "ImmutaTestSupport", "Solid", "TortureChild"],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
