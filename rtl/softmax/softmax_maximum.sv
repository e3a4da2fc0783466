// Largest visible score of a row, for each of the two row buffers. A beat taken
// in cycle c is in its buffer's maximum in c + 4: mask, two halves of the tree
// over the lanes, running maximum. Never stalls. A beat without a visible key
// moves nothing; a row's first beat has one.
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
  localparam int unsigned Half = (Levels + 1) / 2;
  localparam int unsigned Padded = 2 ** Levels;
  localparam int unsigned Middle = Padded >> Half;
  localparam logic [31:0] Lowest = 32'h8000_0000;

  logic [3:1] valid_q, first_q, buffer_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[2:1], valid_i && seen_i[0]};
  end
  always_ff @(posedge clk_i) begin
    first_q <= {first_q[2:1], first_i};
    buffer_q <= {buffer_q[2:1], buffer_i};
  end

  // 1: masked scores.
  logic [Lanes*32-1:0] scores_q;
  always_ff @(posedge clk_i) begin
    if (valid_i && seen_i[0]) begin
      for (int unsigned lane = 0; lane < Lanes; lane++)
        scores_q[lane*32+:32] <= seen_i[lane] ? scores_i[lane*32+:32] : Lowest;
    end
  end

  // 2: from the lanes to the middle of the tree.
  logic [Middle*32-1:0] middle_q;
  for (genvar level = 0; level <= Half; level++) begin : gen_low
    logic [(Padded >> level)*32-1:0] nodes;
    if (level == 0) begin : gen_leaves
      always_comb begin
        for (int unsigned i = 0; i < Padded; i++) nodes[i*32+:32] = Lowest;
        nodes[Lanes*32-1:0] = scores_q;
      end
    end else begin : gen_larger
      always_comb begin
        for (int unsigned i = 0; i < (Padded >> level); i++) begin
          nodes[i*32+:32] = ($signed(gen_low[level-1].nodes[2*i*32+:32]) >
                             $signed(gen_low[level-1].nodes[(2*i+1)*32+:32])) ?
                            gen_low[level-1].nodes[2*i*32+:32] :
                            gen_low[level-1].nodes[(2*i+1)*32+:32];
        end
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (valid_q[1]) middle_q <= gen_low[Half].nodes;
  end

  // 3: from there to its root.
  logic [31:0] root_q;
  for (genvar level = Half; level <= Levels; level++) begin : gen_high
    logic [(Padded >> level)*32-1:0] nodes;
    if (level == Half) begin : gen_leaves
      assign nodes = middle_q;
    end else begin : gen_larger
      always_comb begin
        for (int unsigned i = 0; i < (Padded >> level); i++) begin
          nodes[i*32+:32] = ($signed(gen_high[level-1].nodes[2*i*32+:32]) >
                             $signed(gen_high[level-1].nodes[(2*i+1)*32+:32])) ?
                            gen_high[level-1].nodes[2*i*32+:32] :
                            gen_high[level-1].nodes[(2*i+1)*32+:32];
        end
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (valid_q[2]) root_q <= gen_high[Levels].nodes;
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
