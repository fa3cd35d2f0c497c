import Datasets
import Foundation
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Checkpoints")
struct CheckpointTests {
  @Test("tensors of every type and texts come back")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    let tensors: [(name: String, tensor: Tensor)] = [
      ("a.weight", Tensor([1.5, -2, .infinity, 0] as [Float], [2, 2])),
      ("count", Tensor([Int64.max], [])),
      ("bytes", Tensor([1, 2, 3] as [UInt8])),
      ("half", Tensor([1, 2] as [Float]).to(.bfloat16)),
      ("none", Tensor([Float](), [0, 3])),
    ]
    try TensorFile.write(file, tensors, ["key": "value \"quoted\"\n"])
    let read = try TensorFile.read(file)
    #expect(read.texts == ["key": "value \"quoted\"\n"])
    #expect(read.tensors.count == tensors.count)
    for (name, tensor) in tensors {
      let back = try #require(read.tensors[name])
      #expect(back.shape == tensor.shape)
      #expect(back.dtype == tensor.dtype)
      #expect(back.to(.float64).values(Double.self) == tensor.to(.float64).values(Double.self))
    }
  }

  @Test("a file cut off anywhere is refused by name", arguments: [0, 4, 20, 100, -1])
  func cutOff(length: Int) throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    try TensorFile.write(file, [("a", Tensor(filledWith: 1, [100]))], [:])
    let data = try Data(contentsOf: URL(fileURLWithPath: file))
    try data.prefix(length < 0 ? data.count + length : length)
      .write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: CheckpointError.self) { try Checkpoint(file) }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("\(file): cannot be read"))
  }

  @Test(
    "a header that makes no sense is refused by name",
    arguments: [
      "[]", "{", "{\"a\": 1}",
      #"{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}"#,
      #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#,
      #"{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}"#,
      #"{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}}"#,
      #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}"#,
      #"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
      #"{"a": {"dtype": "F32", "shape": [0], "data_offsets": [9223372036854775807, 9223372036854775807]}}"#,
    ])
  func senseless(header: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    var data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    data.append(contentsOf: header.utf8)
    data.append(contentsOf: [0, 0, 0, 0])
    try data.write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: CheckpointError.self) { try Checkpoint(file) }
    #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("\(file): cannot be read"))
  }

  @Test("a write that fails leaves the file that stood there, and nothing else")
  func failedWrite() throws {
    struct Full: Error {}
    let folder = try TemporaryFolder()
    let file = folder.path + "/a"
    try AtomicFile.write(file, Data("old".utf8))
    #expect(throws: Full.self) {
      try AtomicFile.write(file) { appender in
        try Array("half of the n".utf8).withUnsafeBytes { try appender.append($0) }
        throw Full()
      }
    }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "old")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a"])
  }

  @Test("a full disk leaves the checkpoint that stood there")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let file = folder.path + "/a.safetensors"
      try TensorFile.write(file, [("a", Tensor(filledWith: 1, [10]))], [:])
      let before = try Data(contentsOf: URL(fileURLWithPath: file))
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
      #if os(Linux)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #else
        setrlimit(RLIMIT_FSIZE, &limit)
      #endif
      #expect(throws: WriteError.self) {
        try TensorFile.write(file, [("a", Tensor(filledWith: 2, [10_000]))], [:])
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
    }
  }

  @Test("a kill in the middle of a write leaves the checkpoint that stood there")
  func killedWrite() async throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/a.safetensors"
    try TensorFile.write(file, [("a", Tensor(filledWith: 1, [10]))], [:])
    let before = try Data(contentsOf: URL(fileURLWithPath: file))
    await #expect(processExitsWith: .signal(SIGKILL)) { [file = file as String] in
      try AtomicFile.write(file) { appender in
        try Array("half of the n".utf8).withUnsafeBytes { try appender.append($0) }
        kill(getpid(), SIGKILL)
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
    #expect(try TensorFile.read(file).tensors["a"]?.floats == [Float](repeating: 1, count: 10))
  }

  @Test("weights of another network are refused with the names and shapes that differ")
  func anotherNetwork() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 4)
      let trainer = try Trainer(
        TrainingConfiguration(yaml: tinyYAML(folder.path, iterations: 1), named: "test"))
      _ = try trainer.fit()
      let checkpoint = try Checkpoint(folder.path + "/run")
      let error = #expect(throws: CheckpointError.self) {
        try checkpoint.model(overrides: ["model.head.dilations=[1, 2, 3]", "model.head.growth=4"])
      }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains("classifier.levels.2"))
      #expect(text.contains("missing in the file"))
      #expect(text.contains("of another shape"))
      let map = try checkpoint.labelMap()
      #expect(map.classes.map(\.name) == ["ground", "thing"])
      #expect(map.index(of: 255) == 255)
      #expect(checkpoint.record.step == 1)
      #expect(checkpoint.record.scores != nil)
    }
  }
}
