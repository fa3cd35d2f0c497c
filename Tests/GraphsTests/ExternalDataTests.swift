import Configuration
import Files
import Foundation
import Graphs
import SwiftProtobuf
import TestSupport
import Testing
import Torch

@Suite("ONNX files with their weights beside them")
struct ExternalDataTests {
  private struct Refused: Error {}
  private let folder: TemporaryFolder
  private var path: String { "\(folder.path)/model.onnx" }

  init() throws { folder = try TemporaryFolder() }

  private func file() throws -> ONNXFile {
    let network = try model(
      "{classes: 3, backbone: {name: resnet18}, head: {name: fcn, channels: 8}}")
    return try ONNXFile(Graph(recording: network, input: [1, 3, 64, 64]) { network($0) })
  }

  @Test("say where in the other file each is, and keep small ones")
  func places() throws {
    let file = try file(), whole = file.model
    try file.write(to: path, mostInside: file.weightBytes - 1)
    #expect(FileSystem.names(in: folder.path) == ["model.onnx", "model.onnx.data"])
    let data = try #require(FileSystem.contents("\(path).data"))
    let written = try Onnx_ModelProto(
      serializedBytes: try #require(FileSystem.contents(path)))
    var last = 0, inside = 0
    for (tensor, expected) in zip(written.graph.initializer, whole.graph.initializer) {
      guard tensor.dataLocation == .external else {
        #expect(tensor.rawData == expected.rawData && tensor.rawData.count < 1024)
        inside += 1
        continue
      }
      let place = Dictionary(
        uniqueKeysWithValues: tensor.externalData.map { ($0.key, $0.value) })
      #expect(place["location"] == "model.onnx.data" && tensor.rawData.isEmpty)
      let offset = try #require(place["offset"].flatMap { Int($0) })
      let length = try #require(place["length"].flatMap { Int($0) })
      #expect(offset % 4096 == 0 && offset >= last)
      #expect(data[offset..<offset + length] == expected.rawData)
      last = offset + length
    }
    #expect(last == data.count && inside > 0)
  }

  @Test("are within up to the limit")
  func within() throws {
    let file = try file()
    try file.write(to: path, mostInside: file.weightBytes)
    #expect(FileSystem.names(in: folder.path) == ["model.onnx"])
    let written = try Onnx_ModelProto(serializedBytes: try #require(FileSystem.contents(path)))
    #expect(written == file.model)
  }

  @Test("are not there if the check of the whole file fails", arguments: [0, Int.max])
  func checked(mostInside: Int) throws {
    let file = try file()
    try AtomicFile.write(path, Data("old".utf8))
    try AtomicFile.write("\(path).data", Data("old data".utf8))
    var size = 0
    #expect(throws: Refused.self) {
      try file.write(to: path, mostInside: mostInside) { candidate in
        #expect(candidate != path && candidate.hasSuffix("/model.onnx"))
        for name in [candidate, "\(candidate).data"] {
          size += FileSystem.contents(name)?.count ?? 0
        }
        throw Refused()
      }
    }
    #expect(size > file.weightBytes, "the check sees the whole")
    #expect(FileSystem.names(in: folder.path) == ["model.onnx", "model.onnx.data"])
    #expect(FileSystem.text(path) == "old" && FileSystem.text("\(path).data") == "old data")
  }
}
