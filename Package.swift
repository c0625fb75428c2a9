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
    .executable(name: "martlet", targets: ["martlet"])
  ],
  targets: [
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CCrypto"),
    .target(name: "Buffers", swiftSettings: settings),
    .target(name: "Wire", dependencies: ["Buffers"], swiftSettings: settings),
    .target(name: "Auth", dependencies: ["CCrypto", "Buffers"], swiftSettings: settings),
    .target(name: "Topics", dependencies: ["Buffers"], swiftSettings: settings),
    .target(name: "Dialects", dependencies: ["Topics", "Wire", "Buffers"], swiftSettings: settings),
    .target(name: "EventLoop", dependencies: ["CLinux", "Buffers"], swiftSettings: settings),
    .target(
      name: "Gateway", dependencies: ["EventLoop", "Dialects", "Topics", "Wire", "Auth", "Buffers"],
      swiftSettings: settings),
    .executableTarget(name: "martlet", dependencies: ["Gateway", "Auth"], swiftSettings: settings),
    .target(name: "MallocCounter", path: "Tests/MallocCounter"),
    .testTarget(
      name: "AllocationTests",
      dependencies: ["MallocCounter", "Gateway", "Dialects", "Auth", "Wire", "EventLoop", "Buffers"],
      swiftSettings: settings),
    .testTarget(name: "BuffersTests", dependencies: ["Buffers"], swiftSettings: settings),
    .testTarget(name: "WireTests", dependencies: ["Wire", "Buffers"], swiftSettings: settings),
    .testTarget(name: "AuthTests", dependencies: ["Auth", "Buffers"], swiftSettings: settings),
    .testTarget(name: "GatewayTests", dependencies: ["Gateway", "Buffers"], swiftSettings: settings),
    .testTarget(
      name: "SimulationTests", dependencies: ["Gateway", "Topics", "Auth", "EventLoop", "Buffers"],
      swiftSettings: settings),
    .testTarget(name: "CommandLineTests", dependencies: ["martlet", "Gateway", "Auth"], swiftSettings: settings),
  ]
)
