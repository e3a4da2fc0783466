// DamfProject: X.u and X.v side by side, Lanes products each per cycle, one
// requantised pair per token. A beat accepted in cycle a gives, if it is its
// token's last, a pair in cycle a + 6 + tree stages. It holds u and v, does no
// flow control and never stalls.
module damf_project #(
  parameter int unsigned Lanes         = 4,
  parameter int unsigned MaxModelWidth = 256,
  parameter int unsigned Chunks        = (MaxModelWidth + Lanes - 1) / Lanes,
  parameter int unsigned ChunkW        = (Chunks > 1) ? $clog2(Chunks) : 1
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic [       15:0] s_mantissa_i,
  input  logic [        5:0] s_shift_i,
  input  logic [       15:0] t_mantissa_i,
  input  logic [        5:0] t_shift_i,
  // The beat in the cycle of its acceptance, lanes beyond the width zero.
  input  logic               write_u_i,
  input  logic               write_v_i,
  input  logic               token_i,
  input  logic               first_i,
  input  logic               last_i,
  input  logic [ ChunkW-1:0] chunk_i,
  input  logic [Lanes*8-1:0] data_i,
  // The same beat one cycle later.
  input  logic [Lanes*8-1:0] data_q_i,
  output logic               pair_valid_o,
  output logic [       15:0] pair_o
);

  localparam int unsigned Levels = $clog2(Lanes);
  localparam int unsigned Stages = (Levels + 1) / 2;
  localparam int unsigned SumW = 16 + Levels;
  // |x * u| <= 2^14, MaxModelWidth of them.
  localparam int unsigned DotW = 16 + $clog2(MaxModelWidth + 1);
  localparam int unsigned ProductW = DotW + 17;

  // Flags of the beat: index 0 beside the operands, Stages + 1 at the
  // accumulator.
  logic [Stages+1:0] valid_q, first_q, last_q;
  logic done_q, scaled_q, shifted_q, rounded_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      {done_q, scaled_q, shifted_q, rounded_q} <= '0;
    end else begin
      valid_q <= {valid_q[Stages:0], token_i};
      done_q <= valid_q[Stages+1] && last_q[Stages+1];
      scaled_q <= done_q;
      shifted_q <= scaled_q;
      rounded_q <= shifted_q;
    end
  end

  always_ff @(posedge clk_i) begin
    first_q <= {first_q[Stages:0], first_i};
    last_q <= {last_q[Stages:0], last_i};
  end

  assign pair_valid_o = rounded_q;

  for (genvar side = 0; side < 2; side++) begin : gen_side
    logic write;
    logic [15:0] mantissa;
    logic [5:0] shift;
    assign write = (side == 0) ? write_u_i : write_v_i;
    assign mantissa = (side == 0) ? s_mantissa_i : t_mantissa_i;
    assign shift = (side == 0) ? s_shift_i : t_shift_i;

    logic [Lanes*8-1:0] weights;
    prim_sram #(
      .Width(Lanes * 8),
      .Depth(Chunks)
    ) u_weights (
      .clk_i,
      .write_i     (write),
      .write_addr_i(chunk_i),
      .write_data_i(data_i),
      .read_i      (token_i),
      .read_addr_i (chunk_i),
      .read_data_o (weights)
    );

    logic [Lanes*16-1:0] products;
    for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
      logic signed [15:0] product_q;
      always_ff @(posedge clk_i) begin
        product_q <= $signed(data_q_i[lane*8+:8]) * $signed(weights[lane*8+:8]);
      end
      assign products[lane*16+:16] = product_q;
    end

    logic signed [SumW-1:0] sum;
    prim_adder_tree #(
      .Lanes(Lanes),
      .InW  (16)
    ) u_tree (
      .clk_i,
      .terms_i(products),
      .sum_o  (sum)
    );

    logic signed [DotW-1:0] dot_q;
    logic signed [ProductW-1:0] scaled;
    logic signed [7:0] code;
    always_ff @(posedge clk_i) begin
      if (valid_q[Stages+1]) begin
        dot_q <= (first_q[Stages+1] ? '0 : dot_q) + DotW'(sum);
      end
      scaled <= ProductW'(dot_q) * ProductW'($signed({1'b0, mantissa}));
    end

    prim_round_shift #(
      .InW (ProductW),
      .OutW(8)
    ) u_round (
      .clk_i,
      .value_i(scaled),
      .shift_i(shift),
      .value_o(code)
    );
    assign pair_o[side*8+:8] = code;
  end

endmodule
