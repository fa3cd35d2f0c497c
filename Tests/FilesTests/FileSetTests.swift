import Files
import Foundation
import TestSupport
import Testing

@Suite("Files that belong together")
struct FileSetTests {
  private struct Refused: Error {}
  private let folder: TemporaryFolder
  private var path: String { folder.path }
  private var names: [String] { FileSystem.names(in: path) ?? [] }

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String) throws {
    try FileSet.write("\(path)/model") { folder in
      for name in ["model.data", "model"] {
        try AtomicFile.write("\(folder)/\(name)", Data("\(text) \(name)".utf8))
      }
      return ["model.data", "model"]
    }
  }

  @Test("take the places of older ones, and leave nothing else")
  func replaced() throws {
    try write("old")
    try write("new")
    #expect(names == ["model", "model.data"])
    #expect(FileSystem.text("\(path)/model") == "new model")
    #expect(FileSystem.text("\(path)/model.data") == "new model.data")
  }

  @Test("leave the older ones whole if writing fails")
  func refused() throws {
    try write("old")
    #expect(throws: Refused.self) {
      try FileSet.write("\(path)/model") { folder in
        try AtomicFile.write("\(folder)/model.data", Data())
        throw Refused()
      }
    }
    #expect(names == ["model", "model.data"])
    #expect(FileSystem.text("\(path)/model.data") == "old model.data")
  }

  @Test("give back the first one's place if the last one finds none", arguments: [true, false])
  func undone(hasOld: Bool) throws {
    if hasOld { try AtomicFile.write("\(path)/model.data", Data("old".utf8)) }
    #expect(FileSystem.makeFolder("\(path)/model/inside") == 0)
    let error = #expect(throws: WriteError.self) { try write("new") }
    #expect(error?.file == "\(path)/model" && error?.reason == "it is a folder")
    #expect(names == (hasOld ? ["model", "model.data"] : ["model"]))
    if hasOld { #expect(FileSystem.text("\(path)/model.data") == "old") }
  }

  @Test("are refused by the name that was asked for")
  func named() throws {
    let error = #expect(throws: WriteError.self) {
      try FileSet.write("\(path)/model") { folder in
        try AtomicFile.write("\(folder)/none/model", Data())
        return ["model"]
      }
    }
    #expect(error?.file == "\(path)/model")
    #expect(names == [])
  }
}
