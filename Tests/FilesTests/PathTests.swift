import Files
import Foundation
import TestSupport
import Testing

@Suite("Paths")
struct PathTests {
  @Test(
    "of any bytes become text and the same bytes again",
    arguments: [
      Array("plain.png".utf8), Array("straße 😀.png".utf8), [0x63, 0x61, 0x66, 0xE9],
      [0xFF, 0xFE, 0x80], [0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80, 0x61], [0xF4, 0x8F, 0x9F, 0xA9],
      [0xF4, 0x8F, 0x9E, 0x80, 0xE9], [0xF8, 0x88, 0x80, 0x80, 0x80], [],
    ] as [[UInt8]])
  func bytes(_ bytes: [UInt8]) {
    #expect(String(pathBytes: bytes).pathBytes == bytes)
  }

  @Test("that are UTF-8 are that text")
  func text() {
    #expect(String(pathBytes: Array("Köln/日本.png".utf8)) == "Köln/日本.png")
  }

  @Test("of other bytes are listed, read, renamed and removed")
  func files() throws {
    let folder = try TemporaryFolder()
    let bytes: [UInt8] = [0x63, 0x61, 0x66, 0xE9]
    let path = "\(folder.path)/" + String(pathBytes: bytes)
    let descriptor = FileSystem.open(path, O_WRONLY | O_CREAT)
    #expect(descriptor >= 0)
    write(descriptor, "hello", 5)
    close(descriptor)
    let names = try #require(FileSystem.names(in: folder.path))
    #expect(names.map(\.pathBytes) == [bytes])
    #expect(FileSystem.text("\(folder.path)/\(names[0])") == "hello")
    #expect(FileSystem.beginning(path, 3) == Array("hel".utf8))
    #expect(FileSystem.makeFolder("\(path)-results/\(names[0])") == 0)
    #expect(FileSystem.rename(path, to: "\(path)-results/\(names[0])/x") == 0)
    #expect(!FileSystem.exists(path))
    #expect(FileSystem.removeAll("\(path)-results"))
    #expect(FileSystem.names(in: folder.path) == [])
  }

  @Test("are shown without what steers a terminal")
  func shown() {
    #expect(String(pathBytes: [0x63, 0xE9]).shown == "c\\xE9")
    #expect("a\u{1B}[31m\nb".shown == "a\\u{1b}[31m\nb")
    #expect("a\r\nb\tc".shownInLine == "a\\u{d} b c")
    #expect("Köln 😀".shown == "Köln 😀")
  }

  @Test(
    "have a name, a stem, an ending and a folder above, those of one letter too",
    arguments: [
      ("q", "q", "q", "", ""), ("a/b.PNG", "b.PNG", "b", "png", "a"), ("/x", "x", "x", "", "/"),
      ("/a/b/", "b", "b", "", "/a"), ("a//b", "b", "b", "", "a"), ("", "", "", "", ""),
      (".hidden", ".hidden", ".hidden", "", ""), ("a.b/c", "c", "c", "", "a.b"),
      ("x.tar.gz", "x.tar.gz", "x.tar", "gz", ""), ("x.", "x.", "x.", "", ""),
    ])
  func parts(_ path: String, _ name: String, _ stem: String, _ suffix: String, _ folder: String) {
    #expect(path.fileName == name)
    #expect(path.fileStem == stem)
    #expect(path.fileSuffix == suffix)
    #expect(path.parentFolder == folder)
  }

  @Test("begin at the home folder where they begin with ~")
  func home() throws {
    let home = try #require(ProcessInfo.processInfo.environment["HOME"])
    #expect("~".withHomeFolder == home)
    #expect("~/data/x y".withHomeFolder == "\(home)/data/x y")
    #expect("~root/x".withHomeFolder.hasSuffix("root/x"))
    #expect("~root/x".withHomeFolder.hasPrefix("/"))
    for path in ["~nobody-of-this-name/x", "a/~/b", "./~", "", "/x~"] {
      #expect(path.withHomeFolder == path)
    }
    #expect("--output=~/x".argumentWithHomeFolder == "--output=\(home)/x")
    #expect("~/x".argumentWithHomeFolder == "\(home)/x")
    #expect("--set=a=~/x".argumentWithHomeFolder == "--set=a=~/x")
  }
}

@Suite("A folder's lock")
struct FolderLockTests {
  private func holder(_ body: () throws -> Void) -> String? {
    do { try body() } catch FolderLockError.held(let holder) { return holder } catch {}
    return nil
  }

  @Test("excludes a second one, in the same process too, and names the process and the host")
  func excludes() throws {
    let folder = try TemporaryFolder()
    var first: FolderLock? = try FolderLock(folder.path, name: ".lock")
    #expect(first?.obstacle == nil)
    let found = try #require(holder { _ = try FolderLock(folder.path, name: ".lock") })
    #expect(found.hasPrefix("process \(getpid()) on "))
    // Another name is another lock.
    #expect(throws: Never.self) { try FolderLock(folder.path, name: ".other") }
    first = nil
    #expect(FileSystem.names(in: folder.path) == [])
    #expect(throws: Never.self) { try FolderLock(folder.path, name: ".lock") }
  }

  @Test("is not held by a file that a dead process has left")
  func stale() throws {
    let folder = try TemporaryFolder()
    try Data("process 1 on elsewhere\n".utf8).write(
      to: URL(fileURLWithPath: folder.path + "/.lock"))
    #expect(throws: Never.self) { try FolderLock(folder.path, name: ".lock") }
  }

  @Test("makes its folder, and takes it away again if nothing came into it")
  func makes() throws {
    let folder = try TemporaryFolder()
    var lock: FolderLock? = try FolderLock("\(folder.path)/a/b", name: ".lock")
    #expect(FileSystem.isFolder("\(folder.path)/a/b"))
    #expect(lock != nil)
    lock = nil
    #expect(FileSystem.names(in: folder.path) == [])
    lock = try FolderLock("\(folder.path)/a", name: ".lock")
    try Data().write(to: URL(fileURLWithPath: "\(folder.path)/a/kept"))
    lock = nil
    #expect(FileSystem.names(in: "\(folder.path)/a") == ["kept"])
  }

  @Test("is refused where no folder can be, and leaves nothing")
  func unusable() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: URL(fileURLWithPath: "\(folder.path)/file"))
    #expect(throws: FolderLockError.unusable(ENOTDIR)) {
      try FolderLock("\(folder.path)/file", name: ".lock")
    }
    #expect(FileSystem.names(in: folder.path) == ["file"])
  }
}
