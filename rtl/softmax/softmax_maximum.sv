// Largest visible score of a row, for each of the two row buffers. A beat taken
// in cycle c is in its buffer's maximum in c + 4: mask and three parts
// of the tree over the lanes, running maximum. Never stalls. A beat without a
// visible key moves nothing; a row's first beat has one.
module softmax_maximum #(
  parameter int unsigned Lanes = 4
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  valid_i,
  input  logic                  first_i,
  input  logic                  buffer_i,
  input  logic [     Lanes-1:0] seen_i,
  input  logic [  Lanes*32-1:0] scores_i,
  output logic [          31:0] maximum_0_o,
  output logic [          31:0] maximum_1_o
);

  localparam int unsigned Levels = $clog2(Lanes);
  localparam int unsigned Padded = 2 ** Levels;
  localparam logic [31:0] Lowest = 32'h8000_0000;
  // The tree's levels, shared out over the three cycles: two each of 64 lanes'
  // six. The first cycle, which masks, has the fewest where they are uneven.
  localparam int unsigned First = Levels / 3;
  localparam int unsigned Second = (Levels - First + 1) / 2;
  localparam int unsigned Third = Levels - First - Second;
  localparam int unsigned FirstNodes = Padded >> First;
  localparam int unsigned SecondNodes = FirstNodes >> Second;

  logic [3:1] valid_q, first_q, buffer_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[2:1], valid_i && seen_i[0]};
  end
  always_ff @(posedge clk_i) begin
    first_q <= {first_q[2:1], first_i};
    buffer_q <= {buffer_q[2:1], buffer_i};
  end

  // 1: mask, first part of the tree.
  logic [Padded*32-1:0] masked;
  logic [FirstNodes*32-1:0] first_nodes, first_nodes_q;
  always_comb begin
    masked = {Padded{Lowest}};
    for (int unsigned lane = 0; lane < Lanes; lane++)
      if (seen_i[lane]) masked[lane*32+:32] = scores_i[lane*32+:32];
  end
  softmax_larger #(
    .Levels (First),
    .Outputs(FirstNodes)
  ) u_first (
    .scores_i(masked),
    .scores_o(first_nodes)
  );
  always_ff @(posedge clk_i) begin
    if (valid_i && seen_i[0]) first_nodes_q <= first_nodes;
  end

  // 2: second part.
  logic [SecondNodes*32-1:0] second_nodes, second_nodes_q;
  softmax_larger #(
    .Levels (Second),
    .Outputs(SecondNodes)
  ) u_second (
    .scores_i(first_nodes_q),
    .scores_o(second_nodes)
  );
  always_ff @(posedge clk_i) begin
    if (valid_q[1]) second_nodes_q <= second_nodes;
  end

  // 3: from there to the root.
  logic [31:0] root, root_q;
  softmax_larger #(
    .Levels (Third),
    .Outputs(1)
  ) u_third (
    .scores_i(second_nodes_q),
    .scores_o(root)
  );
  always_ff @(posedge clk_i) begin
    if (valid_q[2]) root_q <= root;
  end

  // 4: running maximum of the row.
  logic [31:0] maximum_0_q, maximum_1_q, running;
  logic rises;
  assign running = buffer_q[3] ? maximum_1_q : maximum_0_q;
  assign rises = valid_q[3] && (first_q[3] || $signed(root_q) > $signed(running));
  always_ff @(posedge clk_i) begin
    if (rises && !buffer_q[3]) maximum_0_q <= root_q;
    if (rises && buffer_q[3]) maximum_1_q <= root_q;
  end
  assign maximum_0_o = maximum_0_q;
  assign maximum_1_o = maximum_1_q;

endmodule
