#include "app/files/worker_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <system_error>
#include <thread>

#include "model/errors.h"

namespace quadrille::app {
namespace {

// A kernel of SystemC is never freed (hw/simulation_context.h), so a process that has
// simulated this many points makes room for a fresh one.
constexpr int kItemsPerProcess = 2000;
constexpr int kTickMs = 200;

/// What comes before a result in a process's pipe.
struct Frame {
  std::int64_t slot = 0;  ///< Index into the items.
  std::int64_t bytes = 0;
};

/// The next slot that nobody has taken, in memory that all processes share.
class SharedCounter {
 public:
  using Count = std::atomic<std::int64_t>;
  static_assert(Count::is_always_lock_free, "processes share it");

  SharedCounter() {
    void* memory =
        ::mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw InputError("worker processes: no memory to share between them");
    count_ = new (memory) Count(0);
  }
  ~SharedCounter() { ::munmap(count_, sizeof(Count)); }
  SharedCounter(const SharedCounter&) = delete;
  SharedCounter& operator=(const SharedCounter&) = delete;

  std::int64_t take() { return count_->fetch_add(1); }
  std::int64_t value() const { return count_->load(); }

 private:
  Count* count_;
};

void write_all(int descriptor, const void* data, std::size_t bytes) {
  const char* rest = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor, rest, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) ::_exit(1);  // Nobody reads any more.
    rest += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

struct Process {
  pid_t id = -1;
  int pipe = -1;
  std::string received;
  std::int64_t at = -1;  ///< The slot that it said it has begun, -1 between slots.
};

class Pool {
 public:
  explicit Pool(const ParallelWork& work)
      : work_(work), tries_(work.items.size(), 0), ended_(work.items.size(), false) {}

  ~Pool() {
    for (const Process& process : processes_) {
      ::kill(process.id, SIGKILL);
      ::close(process.pipe);
      ::waitpid(process.id, nullptr, 0);
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run() {
    while (open_slots()) {
      while (open_slots() && static_cast<int>(processes_.size()) < work_.processes) start();
      while (!processes_.empty()) {
        wait();
        work_.tick();
      }
      take_back_untold();
    }
  }

 private:
  std::int64_t slots() const { return static_cast<std::int64_t>(work_.items.size()); }
  bool open_slots() const { return !again_.empty() || next_.value() < slots(); }

  void start() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
    std::int64_t first = -1;
    if (!again_.empty()) {
      first = again_.front();
      again_.pop_front();
    }
    // What waits in a buffer must not be written twice.
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t id = ::fork();
    if (id < 0) fail("fork");
    if (id == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);  // It ended before the call above.
      ::close(ends[0]);
      work_on(ends[1], first);
    }
    ::close(ends[1]);
    processes_.push_back({id, ends[0], "", -1});
  }

  /// An exception that left the work would go on as if this were the caller's process.
  [[noreturn]] void work_on(int pipe, std::int64_t first) noexcept {
    for (int made = 0; made < kItemsPerProcess; ++made) {
      const std::int64_t slot = made == 0 && first >= 0 ? first : next_.take();
      if (slot >= slots()) break;
      const Frame begun{slot, -1};
      write_all(pipe, &begun, sizeof begun);
      const std::string result = work_.work(work_.items[static_cast<std::size_t>(slot)]);
      const Frame frame{slot, static_cast<std::int64_t>(result.size())};
      std::string message(reinterpret_cast<const char*>(&frame), sizeof frame);
      message += result;
      write_all(pipe, message.data(), message.size());
    }
    ::_exit(0);
  }

  /// A process that was killed between taking a slot and telling so.
  void take_back_untold() {
    for (std::int64_t slot = 0; slot < slots(); ++slot) {
      if (!ended_[static_cast<std::size_t>(slot)]) again_.push_back(slot);
    }
  }

  void wait() {
    std::vector<pollfd> polled;
    for (const Process& process : processes_) polled.push_back({process.pipe, POLLIN, 0});
    if (::poll(polled.data(), polled.size(), kTickMs) < 0 && errno != EINTR) fail("poll");
    // From the back, since a process that ended leaves the list.
    for (std::size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents != 0) receive(i);
    }
  }

  void receive(std::size_t index) {
    Process& process = processes_[index];
    char bytes[1 << 16];
    const ssize_t count = ::read(process.pipe, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) return ended(index);
    process.received.append(bytes, static_cast<std::size_t>(count));
    take_frames(process);
  }

  void take_frames(Process& process) {
    std::size_t begin = 0;
    while (process.received.size() - begin >= sizeof(Frame)) {
      Frame frame;
      std::memcpy(&frame, process.received.data() + begin, sizeof frame);
      const auto bytes = static_cast<std::size_t>(std::max<std::int64_t>(0, frame.bytes));
      if (process.received.size() - begin - sizeof frame < bytes) break;
      process.at = frame.bytes < 0 ? frame.slot : -1;
      if (frame.bytes >= 0) {
        ended_[static_cast<std::size_t>(frame.slot)] = true;
        work_.done(work_.items[static_cast<std::size_t>(frame.slot)],
                   process.received.substr(begin + sizeof frame, bytes));
      }
      begin += sizeof frame + bytes;
    }
    process.received.erase(0, begin);
  }

  void ended(std::size_t index) {
    const Process process = processes_[index];
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(index));
    int status = 0;
    ::close(process.pipe);
    ::waitpid(process.id, &status, 0);
    if (process.at >= 0) {
      const auto slot = static_cast<std::size_t>(process.at);
      if (++tries_[slot] < work_.tries) {
        again_.push_back(process.at);
      } else {
        ended_[slot] = true;
        work_.lost(work_.items[slot], how_it_ended(status));
      }
    }
    if (open_slots()) start();
  }

  [[noreturn]] static void fail(const char* what) {
    throw InputError(fmt::format("worker processes: {}: {}; expected room for one per -j", what,
                                 std::generic_category().message(errno)));
  }

  const ParallelWork& work_;
  SharedCounter next_;
  std::vector<Process> processes_;
  std::deque<std::int64_t> again_;
  std::vector<int> tries_;
  std::vector<bool> ended_;
};

}  // namespace

void run_in_processes(const ParallelWork& work) { Pool(work).run(); }

int processes_of(int wanted) {
  if (wanted > 0) return wanted;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace quadrille::app
