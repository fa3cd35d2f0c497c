import Foundation
import TestSupport
import Testing

@testable import Imaging

@Suite("Image files")
struct FileTests {
  private func names(_ folder: TemporaryFolder) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  @Test("what is written is read, and replaces what was there")
  func written() throws {
    let folder = try TemporaryFolder()
    let (first, second) = (noise(6, 5), noise(7, 3, seed: 2))
    try first.write(to: folder.path + "/a.png")
    try second.write(to: folder.path + "/a.png")
    #expect(try Image(contentsOf: folder.path + "/a.png") == second)
    try first.write(to: folder.path + "/b.JPEG")
    #expect(try ImageInfo(contentsOf: folder.path + "/b.JPEG").format == .jpeg)
    let labels = LabelImage(width: 2, height: 1, values: [0, 5])
    try labels.writePNG(to: folder.path + "/c.png", palette: [Color(1, 1, 1)])
    #expect(try LabelImage(contentsOf: folder.path + "/c.png") == labels)
    #expect(try names(folder) == ["a.png", "b.JPEG", "c.png"])
    #expect(throws: ImageError.unknownFormat(file: "a.bmp", suffix: ".bmp")) {
      try first.write(to: "a.bmp")
    }
  }

  @Test("a write that fails leaves the old file and nothing else")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let file = folder.path + "/a.png"
      let small = noise(4, 4)
      try small.write(to: file)
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
      #if os(Linux)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #else
        setrlimit(RLIMIT_FSIZE, &limit)
      #endif
      let error = #expect(throws: ImageError.self) { try noise(100, 100).write(to: file) }
      #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("\(file): cannot be written: "))
      #expect(try Image(contentsOf: file) == small)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.png"])
    }
  }

  @Test("places that cannot be written to or read from are named with the reason")
  func places() throws {
    let folder = try TemporaryFolder()
    let image = noise(2, 2)
    let file = folder.path + "/a.png"
    try image.write(to: file)
    let below = file + "/b.png"
    #expect(
      throws: ImageError.unwritable(file: below, reason: "a part of the path is no folder")
    ) { try image.write(to: below) }
    let absent = folder.path + "/none/b.png"
    #expect(
      throws: ImageError.unwritable(file: absent, reason: "there is no such file or folder")
    ) { try image.write(to: absent) }
    #expect(
      throws: ImageError.unreadable(file: absent, reason: "there is no such file or folder")
    ) { try Image(contentsOf: absent) }
    #expect(throws: ImageError.unreadable(file: folder.path, reason: "it is a folder")) {
      try Image(contentsOf: folder.path)
    }
    // Larger than any image, but it takes no place on the disk.
    let huge = folder.path + "/huge.png"
    try image.write(to: huge)
    #expect(truncate(huge, 1 << 40) == 0)
    let error = #expect(throws: ImageError.self) { try Image(contentsOf: huge) }
    #expect(error?.description.contains("more than an image may have") == true)
  }
}
