import Checkpoints
import Files
import Foundation
import Testing
import Torch

@Suite("Files written here")
struct WritingTests {
  private func tensors() -> [(name: String, tensor: Tensor)] {
    var list: [(name: String, tensor: Tensor)] = DType.allCases.map { dtype in
      ("layer.\(dtype)", Tensor([0, 1, 0, 1, 1, 1] as [Float], [3, 2]).to(dtype))
    }
    list.append(("naïve \"quoted\"\n", Tensor(2.5)))
    list.append(("empty", Tensor(uninitialized: [2, 0])))
    list.append(("last", Tensor(filledWith: 1, [2, 3, 4, 5]).contiguous(.channelsLast)))
    list.append(("transposed", Tensor([1, 2, 3, 4, 5, 6] as [Float], [2, 3]).permuted(1, 0)))
    return list
  }

  @Test(
    "give back names, order, types, shapes and values",
    arguments: [WeightFile.Format.safetensors, .pytorch])
  func roundTrip(_ format: WeightFile.Format) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/weights"
      let tensors = tensors()
      try WeightFile.write(tensors, metadata: ["key": "value \"é\"\u{1}"], to: path, as: format)
      let file = try WeightFile.open(path)
      #expect(file.format == format)
      #expect(file.entries.map(\.name) == tensors.map(\.name))
      for (name, tensor) in tensors {
        let read = try file.tensor(name)
        #expect(read.dtype == tensor.dtype && read.shape == tensor.shape)
        #expect(
          try file.values(name) == tensor.to(.float64).values(Double.self), Comment(rawValue: name))
      }
      if format == .safetensors { #expect(file.metadata == ["key": "value \"é\"\u{1}"]) }
      #expect(file.entries.allSatisfy { $0.bytes.lowerBound % $0.dtype.byteCount == 0 })
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights"])
    }
  }

  @Test(
    "have the same bytes for the same tensors",
    arguments: [WeightFile.Format.safetensors, .pytorch])
  func reproducible(_ format: WeightFile.Format) throws {
    try withTemporaryFolder { folder in
      for name in ["a", "b"] {
        try WeightFile.write(tensors(), to: "\(folder)/\(name)", as: format)
      }
      #expect(
        FileManager.default.contents(atPath: "\(folder)/a")
          == FileManager.default.contents(atPath: "\(folder)/b"))
    }
  }

  @Test("do not come of weights that a prepared network gave back, which loading brings again")
  func released() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/weights"
      let layer = Conv2d(16, 16, kernel: 3)
      layer.train(false)
      try WeightFile.write(layer.state, to: path)
      let x = Tensor(filledWith: 1, [1, 16, 4, 4])
      let expected = withoutGradients { layer(x) }.floats
      for (_, parameter) in layer.parameters { parameter.release() }
      let error = #expect(throws: WriteError.self) {
        try WeightFile.write(layer.state, to: path)
      }
      #expect(error?.description.contains("'weight' was given back") == true)
      try WeightFile.open(path).load(into: layer)
      #expect(withoutGradients { layer(x) }.floats == expected)
    }
  }

  @Test("leave what stood there when they cannot be written")
  func atomic() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/weights"
      try Data("old".utf8).write(to: URL(fileURLWithPath: path))
      let twice = [("a", Tensor(1)), ("a", Tensor(2))]
      #expect(throws: WriteError.self) { try WeightFile.write(twice, to: path) }
      #expect(throws: WriteError.self) {
        try WeightFile.write([("a", Tensor(1))], to: path, as: .legacyPyTorch)
      }
      #expect(FileManager.default.contents(atPath: path) == Data("old".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights"])
      let error = #expect(throws: WriteError.self) {
        try WeightFile.write([("a", Tensor(1))], to: "\(folder)/none/weights")
      }
      #expect(error?.description.contains("there is no such file or folder") == true)
    }
  }

  @Test("may be replaced while they are open")
  func replaced() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/weights"
      try WeightFile.write([("a", Tensor([1, 2, 3] as [Float]))], to: path)
      let file = try WeightFile.open(path)
      try WeightFile.write([("a", Tensor([4] as [Float]))], to: path)
      #expect(try file.values("a") == [1, 2, 3])
    }
  }

  @Test("are read whatever the length of their header, which may begin as a pickle does")
  func lengths() throws {
    try withTemporaryFolder { folder in
      for length in 1...256 {
        let name = String(repeating: "a", count: length)
        try WeightFile.write([(name, Tensor(1))], to: "\(folder)/weights")
        #expect(try WeightFile.open("\(folder)/weights").values(name) == [1])
      }
    }
  }
}
