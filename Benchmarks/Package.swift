// swift-tools-version: 6.2
import PackageDescription

/// What Swift users would pick instead, and the floors in C, on the same work as Immuta.
///
/// A package of its own: nobody who uses Immuta downloads what only its benchmarks need.
let package = Package(
  name: "immuta-benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [
    // By path, under the name that the product is asked for by, whatever the folder is called.
    // Zstandard and LZ4 are among the codecs that are measured; what needs none of them does not link them.
    .package(name: "immuta", path: "..", traits: ["Zstd", "LZ4"]),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    // Without its traits: it then takes no other allocator and no hooks of the runtime into the process.
    .package(url: "https://github.com/ordo-one/benchmark", exact: "1.38.1", traits: []),
  ],
  targets: [
    .target(name: "Floors"),
    // What both programs share: how they measure, and how they show it.
    .target(name: "Harness"),
    .target(
      name: "Workloads",
      dependencies: [
        "Floors", "Harness", .product(name: "Immuta", package: "immuta"),
        .product(name: "LogStore", package: "immuta"), .product(name: "GRDB", package: "GRDB.swift"),
      ]
    ),
    .executableTarget(
      name: "report",
      dependencies: ["Harness", "Workloads", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/Report"
    ),
    .executableTarget(
      name: "codecs",
      dependencies: [
        "Harness", .product(name: "Immuta", package: "immuta"),
        .product(name: "ImmutaTransforms", package: "immuta"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Codecs"
    ),
    // The bank of the documentation's article on event sourcing, on Immuta and on SQLite.
    .executableTarget(
      name: "bank",
      dependencies: [
        "Harness", .product(name: "Immuta", package: "immuta"), .product(name: "ImmutaCodable", package: "immuta"),
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Bank"
    ),
    // The chart of what a log that keeps a part of its records takes on the disk.
    .executableTarget(name: "retention", dependencies: ["Harness"], path: "Sources/Retention"),
    // Where the plugin looks for benchmarks: in a folder inside one named Benchmarks, which this package's is.
    .executableTarget(
      name: "Percentiles",
      dependencies: ["Workloads", .product(name: "Benchmark", package: "benchmark")],
      path: "Percentiles",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
    ),
  ],
  swiftLanguageModes: [.v6]
)
