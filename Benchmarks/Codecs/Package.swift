// swift-tools-version: 6.2
import PackageDescription

/// Sizes and rates of the codecs, on three kinds of record.
let package = Package(
  name: "codecs",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "immuta", path: "../..", traits: ["Zstd", "LZ4"])],
  targets: [
    .executableTarget(
      name: "codecs",
      dependencies: [
        .product(name: "Immuta", package: "immuta"), .product(name: "ImmutaTransforms", package: "immuta"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
