// The softmax engine: rows of 32-bit scores in, their 8-bit codes and one
// reciprocal per row out. Pass 1 fills one of two row buffers and keeps the
// maximum; pass 2 issues one slot per cycle, a row's code beats and then its
// reciprocal, against credits into a pipeline that never stalls. Pins are Moore.
// It does not normalise, addresses no memory and checks no command.
// Timing contract and command layout: docs/engines/softmax.md.
module softmax_engine #(
  parameter int unsigned Lanes    = 4,
  parameter int unsigned MaxKeys  = 512,
  parameter int unsigned CommandW = 74,
  parameter int unsigned OutBytes = (Lanes > 4) ? Lanes : 4,
  parameter int unsigned BytesW   = $clog2(OutBytes + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  command_valid_i,
  output logic                  command_ready_o,
  input  logic [  CommandW-1:0] command_i,
  input  logic                  input_valid_i,
  output logic                  input_ready_o,
  input  logic [  Lanes*32-1:0] input_data_i,
  output logic                  output_valid_o,
  input  logic                  output_ready_i,
  output logic [OutBytes*8-1:0] output_data_o,
  output logic [    BytesW-1:0] output_bytes_o
);

  localparam int unsigned CountW = 17;
  localparam int unsigned KeyW = $clog2(((MaxKeys > Lanes) ? MaxKeys : Lanes) + 1);
  localparam int unsigned Beats = (MaxKeys + Lanes - 1) / Lanes;
  localparam int unsigned AddrW = $clog2(2 * Beats);
  localparam int unsigned SumW = $clog2(MaxKeys * 255 + 1);
  localparam int unsigned FifoDepth = 16;
  localparam int unsigned CreditW = $clog2(FifoDepth + 1);
  // From a slot's issue to its push into the output FIFO.
  localparam int unsigned Depth = 11;

  // ------------------------------------------------ command

  logic take_command, take, give, issue, issue_codes, issue_inverse;
  assign take_command = command_valid_i && command_ready_o;
  assign take = input_valid_i && input_ready_o;
  assign give = output_valid_o && output_ready_i;

  logic [KeyW-1:0] command_keys, command_first_seen, keys_q, keys;
  logic [CountW:0] first_seen;
  logic [15:0] mantissa_q;
  logic [5:0] shift_q;
  logic [46:0] low_mask_q;
  logic [47:12] high_mask_q;
  assign command_keys = command_i[CountW+:KeyW];
  assign first_seen = {1'b0, command_i[51:35]} + 1'b1;
  assign command_first_seen = (command_i[34] && first_seen < (CountW+1)'(command_keys)) ?
                              first_seen[KeyW-1:0] : command_keys;
  assign keys = command_ready_o ? command_keys : keys_q;
  always_ff @(posedge clk_i) begin
    if (take_command) begin
      keys_q <= command_keys;
      mantissa_q <= command_i[67:52];
      shift_q <= command_i[73:68];
    end
    // Bits of a product that lie below the rounding bit, and those of 2^12 and more.
    for (int unsigned i = 0; i < 47; i++) low_mask_q[i] <= 6'(i + 1) < shift_q;
    for (int unsigned i = 12; i < 48; i++) high_mask_q[i] <= 6'(i - 12) >= shift_q;
  end

  // ------------------------------------------------ pass 1

  logic fill_last, fill_first_q, fill_buffer;
  logic [BytesW-1:0] fill_last_keys;
  logic [Lanes-1:0] fill_seen;
  logic [AddrW-1:0] fill_address;
  logic [CountW-1:0] fill_rows_q;
  softmax_walk #(
    .Lanes (Lanes),
    .KeyW  (KeyW),
    .BytesW(BytesW),
    .Beats (Beats)
  ) u_fill (
    .clk_i,
    .rst_ni,
    .start_i     (take_command),
    .keys_i      (keys),
    .first_seen_i(command_first_seen),
    .step_i      (take),
    .last_o      (fill_last),
    .last_keys_o (fill_last_keys),
    .seen_o      (fill_seen),
    .buffer_o    (fill_buffer),
    .address_o   (fill_address)
  );

  logic [31:0] maximum_0, maximum_1;
  softmax_maximum #(
    .Lanes(Lanes)
  ) u_maximum (
    .clk_i,
    .rst_ni,
    .valid_i    (take),
    .first_i    (fill_first_q),
    .buffer_i   (fill_buffer),
    .seen_i     (fill_seen),
    .scores_i   (input_data_i),
    .maximum_0_o(maximum_0),
    .maximum_1_o(maximum_1)
  );

  // A buffer is full from its row's last beat until its last read; pass 2 may
  // read it from the third cycle after that beat on, when its maximum comes.
  logic [1:0] full_q, ready_q, full_d, ready_d;
  logic drain_buffer, drain_last;
  logic [2:1] filled_q, filled_buffer_q;
  always_comb begin
    full_d = full_q;
    ready_d = ready_q;
    if (take && fill_last) full_d[fill_buffer] = 1'b1;
    if (filled_q[2]) ready_d[filled_buffer_q[2]] = 1'b1;
    if (issue_codes && drain_last) begin
      full_d[drain_buffer] = 1'b0;
      ready_d[drain_buffer] = 1'b0;
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      full_q <= '0;
      ready_q <= '0;
      filled_q <= '0;
      fill_rows_q <= '0;
      fill_first_q <= 1'b1;
    end else begin
      full_q <= full_d;
      ready_q <= ready_d;
      filled_q <= {filled_q[1], take && fill_last};
      if (take) fill_first_q <= fill_last;
      if (take_command) fill_rows_q <= command_i[CountW-1:0];
      else if (take && fill_last) fill_rows_q <= fill_rows_q - 1'b1;
    end
  end
  // All rows are equally long, and none is offered before the first is full.
  logic [BytesW-1:0] tail_bytes_q;
  always_ff @(posedge clk_i) begin
    filled_buffer_q <= {filled_buffer_q[1], fill_buffer};
    if (take && fill_last) tail_bytes_q <= fill_last_keys;
  end
  assign input_ready_o = fill_rows_q != '0 && !full_q[fill_buffer];

  // ------------------------------------------------ row buffers

  logic [AddrW-1:0] drain_address;
  logic [Lanes*32-1:0] scores;
  prim_sram #(
    .Width(Lanes * 32),
    .Depth(2 * Beats)
  ) u_rows (
    .clk_i,
    .write_i     (take),
    .write_addr_i(fill_address),
    .write_data_i(input_data_i),
    .read_i      (issue_codes),
    .read_addr_i (drain_address),
    .read_data_o (scores)
  );

  // ------------------------------------------------ pass 2: issue

  logic inverse_q;  // The row's reciprocal is the next slot.
  logic [CountW-1:0] drain_rows_q;
  logic [CreditW-1:0] credits_q;
  logic [BytesW-1:0] unused_drain_last_keys;
  logic [Lanes-1:0] drain_seen;
  assign issue = (inverse_q || ready_q[drain_buffer]) && credits_q != '0;
  assign issue_inverse = issue && inverse_q;
  assign issue_codes = issue && !inverse_q;

  softmax_walk #(
    .Lanes (Lanes),
    .KeyW  (KeyW),
    .BytesW(BytesW),
    .Beats (Beats)
  ) u_drain (
    .clk_i,
    .rst_ni,
    .start_i     (take_command),
    .keys_i      (keys),
    .first_seen_i(command_first_seen),
    .step_i      (issue_codes),
    .last_o      (drain_last),
    .last_keys_o (unused_drain_last_keys),
    .seen_o      (drain_seen),
    .buffer_o    (drain_buffer),
    .address_o   (drain_address)
  );

  logic done;
  assign done = give && drain_rows_q == '0 && credits_q == CreditW'(FifoDepth - 1);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      command_ready_o <= 1'b1;
      inverse_q <= 1'b0;
      drain_rows_q <= '0;
      credits_q <= CreditW'(FifoDepth);
    end else begin
      credits_q <= credits_q - CreditW'(issue) + CreditW'(give);
      if (issue) inverse_q <= issue_codes && drain_last;
      if (issue_inverse) drain_rows_q <= drain_rows_q - 1'b1;
      if (done) command_ready_o <= 1'b1;
      if (take_command) begin
        command_ready_o <= 1'b0;
        drain_rows_q <= command_i[CountW-1:0];
      end
    end
  end

  // ------------------------------------------------ pass 2: pipeline

  // Slots by the cycles since their issue.
  logic [Depth:1] valid_q, slot_inverse_q, slot_tail_q;
  logic [Lanes-1:0] visible_q;
  logic buffer_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      visible_q <= '0;
    end else begin
      valid_q <= {valid_q[Depth-1:1], issue};
      visible_q <= issue_codes ? drain_seen : '0;
    end
  end
  always_ff @(posedge clk_i) begin
    slot_inverse_q <= {slot_inverse_q[Depth-1:1], inverse_q};
    slot_tail_q <= {slot_tail_q[Depth-1:1], drain_last};
    buffer_q <= drain_buffer;
  end

  // 1..5: codes.
  logic [31:0] maximum;
  logic [Lanes*8-1:0] codes;
  assign maximum = buffer_q ? maximum_1 : maximum_0;
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    softmax_lane u_lane (
      .clk_i,
      .rst_ni,
      .visible_i  (visible_q[lane]),
      .score_i    (scores[lane*32+:32]),
      .maximum_i  (maximum),
      .mantissa_i (mantissa_q),
      .shift_i    (shift_q),
      .low_mask_i (low_mask_q),
      .high_mask_i(high_mask_q),
      .code_o     (codes[lane*8+:8])
    );
  end

  // 6, 7: their sum. 7..10, after the row's last codes: its reciprocal.
  logic [SumW-1:0] sum;
  logic [16:0] mantissa;
  logic [5:0] shift;
  softmax_sum #(
    .Lanes(Lanes),
    .SumW (SumW)
  ) u_sum (
    .clk_i,
    .rst_ni,
    .valid_i(valid_q[6] && !slot_inverse_q[6]),
    .end_i  (valid_q[7] && slot_inverse_q[7]),
    .codes_i(codes),
    .sum_o  (sum)
  );
  prim_reciprocal #(
    .Width(SumW)
  ) u_reciprocal (
    .clk_i,
    .value_i   (sum),
    .mantissa_o(mantissa),
    .shift_o   (shift)
  );

  // 6..10: codes wait, so that they leave in order with the reciprocals.
  logic [Lanes*8-1:0] codes_7_q, codes_8_q, codes_9_q, codes_10_q, codes_11_q;
  always_ff @(posedge clk_i) begin
    if (valid_q[6]) codes_7_q <= codes;
    if (valid_q[7]) codes_8_q <= codes_7_q;
    if (valid_q[8]) codes_9_q <= codes_8_q;
    if (valid_q[9]) codes_10_q <= codes_9_q;
    if (valid_q[10]) codes_11_q <= codes_10_q;
  end

  // ------------------------------------------------ give

  logic [OutBytes*8-1:0] data;
  logic [BytesW-1:0] bytes;
  always_comb begin
    data = '0;
    if (slot_inverse_q[Depth]) begin
      data[29:24] = shift;
      data[16:0] = mantissa;
      bytes = BytesW'(4);
    end else begin
      data[Lanes*8-1:0] = codes_11_q;
      bytes = slot_tail_q[Depth] ? tail_bytes_q : BytesW'(Lanes);
    end
  end

  prim_fifo #(
    .Width(BytesW + OutBytes * 8),
    .Depth(FifoDepth)
  ) u_output (
    .clk_i,
    .rst_ni,
    .push_i (valid_q[Depth]),
    .data_i ({bytes, data}),
    .valid_o(output_valid_o),
    .ready_i(output_ready_i),
    .data_o ({output_bytes_o, output_data_o})
  );

`ifndef SYNTHESIS
  prim_offer_stable #(
    .Width(CommandW)
  ) u_command_stable (
    .clk_i,
    .rst_ni,
    .valid_i(command_valid_i),
    .ready_i(command_ready_o),
    .data_i (command_i)
  );
  prim_offer_stable #(
    .Width(Lanes * 32)
  ) u_input_stable (
    .clk_i,
    .rst_ni,
    .valid_i(input_valid_i),
    .ready_i(input_ready_o),
    .data_i (input_data_i)
  );
  prim_offer_stable #(
    .Width(BytesW + OutBytes * 8)
  ) u_output_stable (
    .clk_i,
    .rst_ni,
    .valid_i(output_valid_o),
    .ready_i(output_ready_i),
    .data_i ({output_bytes_o, output_data_o})
  );

  CreditsInRange: assert property (@(posedge clk_i) disable iff (!rst_ni)
      credits_q <= CreditW'(FifoDepth));
  ReadyIsFull: assert property (@(posedge clk_i) disable iff (!rst_ni)
      (ready_q & ~full_q) == '0);
  IdleIsEmpty: assert property (@(posedge clk_i) disable iff (!rst_ni)
      command_ready_o |-> credits_q == CreditW'(FifoDepth) && full_q == '0);
`endif

endmodule
