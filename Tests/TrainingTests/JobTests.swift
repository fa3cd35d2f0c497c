import Testing
import Torch

@testable import Training

@Suite("What launchers tell")
struct JobTests {
  private let torchrun = [
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "host0", "MASTER_PORT": "29500",
  ]

  @Test("torchrun's variables, and PyTorchJob's, which has no local rank")
  func torchrunVariables() throws {
    let job = try #require(try Job(environment: torchrun))
    #expect(
      job
        == Job(
          rank: 5, size: 8, localRank: 1, localSize: 4,
          meeting: .init(host: "host0", port: 29_500)))
    let pod = [
      "RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "camvid-master-0", "MASTER_PORT": "23456",
      "KUBERNETES_PORT": "tcp://10.0.0.1:443", "GLOO_SOCKET_IFNAME": "eth0",
    ]
    #expect(
      try Job(environment: pod)
        == Job(
          rank: 1, size: 2,
          meeting: .init(host: "camvid-master-0", port: 23_456, interfaces: "eth0")))
  }

  @Test("a Slurm step: the first node of the list, a port from the job's number")
  func slurm() throws {
    let step = [
      "SLURM_JOB_ID": "1234567", "SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_LOCALID": "1",
      "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[07-09],login",
      "SLURM_NODELIST": "other",
    ]
    #expect(
      try Job(environment: step)
        == Job(rank: 3, size: 4, localRank: 1, meeting: .init(host: "gpu07", port: 19_567)))
    let moved = step.merging(["MASTER_ADDR": "here", "MASTER_PORT": "4000"]) { $1 }
    #expect(try Job(environment: moved)?.meeting == .init(host: "here", port: 4000))
    var old = step
    old["SLURM_STEP_NODELIST"] = nil
    #expect(try Job(environment: old)?.meeting.host == "other")
  }

  @Test("a process alone: nothing set, one process, or the batch script outside srun")
  func alone() throws {
    #expect(try Job(environment: ["PATH": "/bin", "RANK": ""]) == nil)
    #expect(
      try Job(environment: torchrun.merging(["RANK": "0", "WORLD_SIZE": "1"]) { $1 }) == nil)
    let script = ["SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"]
    #expect(try Job(environment: script) == nil)
  }

  @Test(
    "what is missing or no number is named",
    arguments: [
      ("RANK", nil, "has WORLD_SIZE but no RANK"),
      ("WORLD_SIZE", nil, "has RANK but no WORLD_SIZE"),
      ("MASTER_ADDR", nil, "has RANK but no MASTER_ADDR"),
      ("MASTER_PORT", nil, "has RANK but no MASTER_PORT"),
      ("RANK", "x", "RANK is 'x', expected a number from 0"),
      ("RANK", "-1", "RANK is '-1', expected a number from 0"),
      ("RANK", "8", "RANK is 8, expected a number below the 8 processes"),
      ("WORLD_SIZE", "0", "WORLD_SIZE is '0', expected a number from 1"),
      ("WORLD_SIZE", "99999999999999999999", "WORLD_SIZE is '99999999999999999999'"),
      ("MASTER_PORT", "70000", "MASTER_PORT is '70000', expected a number from 1 to 65535"),
      ("LOCAL_RANK", "first", "LOCAL_RANK is 'first'"),
    ] as [(String, String?, String)])
  func wrong(_ name: String, _ value: String?, _ message: String) {
    var environment = torchrun
    environment[name] = value
    #expect { try Job(environment: environment) } throws: { "\($0)".contains(message) }
  }

  @Test("an address without a rank, and a broken list of nodes")
  func half() {
    #expect {
      try Job(environment: ["MASTER_ADDR": "a"])
    } throws: { "\($0)".contains("has MASTER_ADDR but no RANK") }
    let step = ["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0", "SLURM_STEP_NODELIST": "a[1-"]
    #expect { try Job(environment: step) } throws: {
      "\($0)".contains("SLURM_STEP_NODELIST is 'a[1-'")
    }
  }

  @Test(
    "lists of nodes",
    arguments: [
      ("login", ["login"]),
      ("a,b-2.x", ["a", "b-2.x"]),
      ("n[1,3-5]", ["n1", "n3", "n4", "n5"]),
      ("n[08-10,2]x", ["n08x", "n09x", "n10x", "n2x"]),
      ("r[0-1]n[1-2],z", ["r0n1", "r0n2", "r1n1", "r1n2", "z"]),
      ("", nil), ("n[", nil), ("n]", nil), ("n[]", nil), ("n[3-1]", nil), ("n[1-x]", nil),
      ("a,,b", nil),
      ("n[1-9999999999]", nil), ("n[0-999999][0-999999]", nil), ("n[1]]", nil), ("n[[1]", nil),
    ] as [(String, [String]?)])
  func nodes(_ text: String, _ hosts: [String]?) {
    #expect(NodeList.hosts(text) == hosts)
  }
}
