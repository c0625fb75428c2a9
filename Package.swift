// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is compiled in Swift 6 mode with strict memory safety: a pointer is only touched behind `unsafe`.
let settings: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "martlet",
  products: [
    .executable(name: "martlet", targets: ["martlet"]),
    .executable(name: "martlet-bench", targets: ["martlet-bench"]),
  ],
  targets: [
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CCrypto"),
    .systemLibrary(name: "CZlib"),
    .target(name: "Buffers", swiftSettings: settings),
    .target(name: "Wire", dependencies: ["Buffers"], swiftSettings: settings),
    .target(name: "Compression", dependencies: ["CZlib", "Buffers"], swiftSettings: settings),
    .target(name: "Auth", dependencies: ["CCrypto", "Buffers"], swiftSettings: settings),
    .target(name: "Topics", dependencies: ["Buffers"], swiftSettings: settings),
    .target(name: "Dialects", dependencies: ["Topics", "Wire", "Buffers"], swiftSettings: settings),
    .target(name: "EventLoop", dependencies: ["CLinux", "Buffers"], swiftSettings: settings),
    .target(
      name: "Gateway", dependencies: ["EventLoop", "Compression", "Dialects", "Topics", "Wire", "Auth", "Buffers"],
      swiftSettings: settings),
    .executableTarget(name: "martlet", dependencies: ["Gateway", "Auth"], swiftSettings: settings),
    .target(name: "TestSeeds", path: "Tests/Seeds", swiftSettings: settings),
    .target(name: "MallocCounter", path: "Tests/MallocCounter"),
    .testTarget(
      name: "AllocationTests",
      dependencies: ["MallocCounter", "Gateway", "Dialects", "Auth", "Wire", "EventLoop", "Buffers"],
      swiftSettings: settings),
    .target(
      name: "BenchKit", dependencies: ["EventLoop", "Compression", "CLinux", "Buffers"], path: "Benchmarks/BenchKit",
      swiftSettings: settings),
    .executableTarget(
      name: "martlet-bench", dependencies: ["BenchKit"], path: "Benchmarks/Bench", swiftSettings: settings),
    .testTarget(name: "BuffersTests", dependencies: ["TestSeeds", "Buffers"], swiftSettings: settings),
    .testTarget(name: "WireTests", dependencies: ["TestSeeds", "Wire", "Buffers"], swiftSettings: settings),
    .testTarget(name: "TopicsTests", dependencies: ["TestSeeds", "Topics", "Buffers"], swiftSettings: settings),
    .testTarget(
      name: "EventLoopTests", dependencies: ["TestSeeds", "EventLoop", "CLinux", "Buffers"], swiftSettings: settings),
    .testTarget(name: "DialectsTests", dependencies: ["Dialects", "Wire", "Buffers"], swiftSettings: settings),
    .testTarget(name: "StyleTests", swiftSettings: settings),
    .testTarget(
      name: "CompressionTests", dependencies: ["TestSeeds", "Compression", "Buffers"], swiftSettings: settings),
    .testTarget(name: "AuthTests", dependencies: ["TestSeeds", "Auth", "Buffers"], swiftSettings: settings),
    .testTarget(
      name: "GatewayTests", dependencies: ["TestSeeds", "Gateway", "EventLoop", "Wire", "Buffers"],
      swiftSettings: settings),
    .target(name: "TestSupport", dependencies: ["Auth"], path: "Tests/Support", swiftSettings: settings),
    .testTarget(
      name: "EndToEndTests", dependencies: ["martlet", "TestSupport", "TestSeeds"], exclude: ["Clients"],
      swiftSettings: settings),
    .executableTarget(
      name: "bystander", dependencies: ["TestSupport"], path: "Tests/Bystander", swiftSettings: settings),
    .testTarget(
      name: "HostileTests",
      dependencies: ["martlet", "bystander", "TestSupport", "MallocCounter", "Compression", "Buffers"],
      swiftSettings: settings),
    .testTarget(
      name: "SimulationTests", dependencies: ["TestSeeds", "Gateway", "Topics", "Auth", "EventLoop", "Buffers"],
      swiftSettings: settings),
    .testTarget(name: "CommandLineTests", dependencies: ["martlet", "Gateway", "Auth"], swiftSettings: settings),
    .target(
      name: "FuzzTargets",
      dependencies: ["TestSeeds", "Gateway", "Dialects", "Wire", "Compression", "CZlib", "Auth", "Buffers"],
      path: "Tests/Fuzz/Targets", swiftSettings: settings),
    .testTarget(name: "FuzzReplayTests", dependencies: ["FuzzTargets", "TestSeeds"], swiftSettings: settings),
    .testTarget(name: "BenchTests", dependencies: ["TestSeeds", "BenchKit", "martlet-bench"], swiftSettings: settings),
  ]
)
