// How the tokens of a block share weights: in groups of a few, which fetch the next rows between them meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace moevlm {

constexpr int TOKENS = 6;  // of a group at most; x 4 accumulators: 24 of 32 registers
constexpr int LINES = 4;   // of the next rows, fetched in each step of all groups together

// Some tokens that share each weight that is loaded; `lines` are fetched by this group, `fetched` by earlier ones.
struct Group {
  int64_t token;
  int count, lines, fetched;
};

// Groups of about as many tokens each. A single one fetches everything, else the first two half each: memory then waits
// for products no longer than they for it.
class Groups {
 public:
  explicit Groups(int64_t tokens)
      : count(tokens), most((count + number() - 1) / number()), share(number() == 1 ? LINES : LINES / 2) {}

  template <class Take>
  void each(const Take& take) const {
    int fetched = 0;
    for (int64_t token = 0; token < count; token += most, fetched += share)
      take(Group{token, int(std::min(most, count - token)), fetched < LINES ? share : 0, fetched});
  }

 private:
  int64_t number() const { return (count + TOKENS - 1) / TOKENS; }

  int64_t count, most;
  int share;
};

template <int VALUE>
using Constant = std::integral_constant<int, VALUE>;

// Call take(count, lines) with constants that equal a group's, for a compiler to unroll.
template <class Take>
void with_constants(const Group& group, const Take& take) {
  const auto counted = [&](auto lines) {
    switch (group.count) {
      case 1: return take(Constant<1>{}, lines);
      case 2: return take(Constant<2>{}, lines);
      case 3: return take(Constant<3>{}, lines);
      case 4: return take(Constant<4>{}, lines);
      case 5: return take(Constant<5>{}, lines);
      default: return take(Constant<6>{}, lines);
    }
  };
  switch (group.lines) {
    case 0: return counted(Constant<0>{});
    case LINES / 2: return counted(Constant<LINES / 2>{});
    default: return counted(Constant<LINES>{});
  }
}

}  // namespace moevlm
