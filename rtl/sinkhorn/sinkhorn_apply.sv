// SinkhornApply: rows of K = 2^(logit + row scaling + column scaling), or rows of
// held K, and their products with V, a group of ValueColumns columns at a time.
// One packed command, one input and one output stream of ready/valid beats; pins
// are Moore. What it takes in never stalls behind the pins: issue has credits for
// the output. It addresses no memory and checks no command: shapes beyond the
// parameters are the sender's fault, and |K| is below 2^31.
// Timing contract and command layout: docs/engines/sinkhorn.md.
module sinkhorn_apply #(
  parameter int unsigned Lanes        = 4,
  parameter int unsigned MaxLines     = 512,
  parameter int unsigned ValueColumns = 2,
  parameter int unsigned CommandW     = 109,
  parameter int unsigned BeatWords    = (Lanes > ValueColumns) ? Lanes : ValueColumns,
  parameter int unsigned BytesW       = $clog2(4 * BeatWords + 1)
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    command_valid_i,
  output logic                    command_ready_o,
  input  logic [    CommandW-1:0] command_i,
  input  logic                    input_valid_i,
  output logic                    input_ready_o,
  input  logic [BeatWords*32-1:0] input_data_i,
  output logic                    output_valid_o,
  input  logic                    output_ready_i,
  output logic [BeatWords*32-1:0] output_data_o,
  output logic [      BytesW-1:0] output_bytes_o
);

  localparam int unsigned Latency = 16;
  localparam int unsigned Credits = Latency + 1;
  localparam int unsigned CreditW = $clog2(Credits + 1);
  localparam int unsigned LineW = $clog2(MaxLines + 1);
  localparam int unsigned WidthW = 21;  // Columns of V: at most 2^20.
  // Lines are worked off in parts of a line per lane.
  localparam int unsigned Parts = (MaxLines + Lanes - 1) / Lanes;
  localparam int unsigned PartW = (Parts > 1) ? $clog2(Parts) : 1;
  localparam int unsigned LaneW = (Lanes > 1) ? $clog2(Lanes) : 1;
  localparam int unsigned CountW = $clog2(BeatWords + 1);
  localparam int unsigned ValueBitW = $clog2(Lanes * 20);

  // ------------------------------------------------ command

  logic wide_q, causal_q, kernel_wanted_q, held_q;
  logic [2:0] fraction_bits_q;
  logic [15:0] mantissa_q;
  logic [5:0] shift_q;
  logic [LineW-1:0] rows_q, columns_q, first_row_q;
  logic [1:0] value_size_q;
  logic [CountW-1:0] first_width_q;

  logic take_command;
  logic [WidthW-1:0] value_width;
  assign value_width = command_i[78:58];

  // Columns of V in a group from which on so many are left.
  function automatic logic [CountW-1:0] group_width(input logic [WidthW-1:0] left);
    group_width = (left < WidthW'(ValueColumns)) ? CountW'(left) : CountW'(ValueColumns);
  endfunction

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      wide_q <= command_i[1];
      causal_q <= command_i[2];
      kernel_wanted_q <= command_i[3];
      fraction_bits_q <= command_i[6:4];
      mantissa_q <= command_i[22:7];
      shift_q <= command_i[28:23];
      rows_q <= command_i[29+:LineW];
      columns_q <= command_i[42+:LineW];
      held_q <= command_i[55];
      value_size_q <= command_i[57:56];
      first_width_q <= group_width(value_width);
      // A first row beyond all columns sees them all.
      first_row_q <= (|command_i[108:79+LineW]) ? '1 : command_i[79+:LineW];
    end
  end

  // ------------------------------------------------ issue: state

  typedef enum logic [2:0] {
    Idle,
    ColumnScalings,
    RowScalings,
    Values,
    Elements,
    Drain
  } state_e;

  state_e state_q;
  logic [LineW-1:0] left_q;  // Lines from the next beat's first one on.
  logic [PartW-1:0] part_q;
  logic [LaneW-1:0] lane_q;  // Of a row of V.
  logic [WidthW-1:0] width_left_q;  // Columns of V from the group's first one on.
  logic first_group_q;
  logic [LineW-1:0] rows_left_q;
  logic [PartW-1:0] row_part_q;  // Of the row's scaling.
  logic [LaneW-1:0] row_lane_q;
  logic [LineW-1:0] row_sees_q, sees_q;  // Columns: in the row; from the next beat on.
  logic group_begins_q, row_begins_q;
  logic out_waits_q;
  logic [CreditW-1:0] credits_q;

  logic credit, take, give;
  assign credit = credits_q != '0;
  assign command_ready_o = state_q == Idle;
  assign take_command = command_valid_i && command_ready_o;
  assign take = input_valid_i && input_ready_o;
  assign give = output_valid_o && output_ready_i;

  always_comb begin
    unique case (state_q)
      ColumnScalings, RowScalings, Values: input_ready_o = !out_waits_q;
      Elements: input_ready_o = !out_waits_q && credit;
      default: input_ready_o = 1'b0;
    endcase
  end

  // Before a group's first beat the rows begin anew.
  logic [LineW-1:0] first_sees, next_sees, rows_left, row_sees, beat_sees;
  assign first_sees = (causal_q && first_row_q < columns_q) ? first_row_q + 1'b1 : columns_q;
  assign rows_left = group_begins_q ? rows_q : rows_left_q;
  assign row_sees = group_begins_q ? first_sees : row_sees_q;
  assign beat_sees = group_begins_q ? first_sees : sees_q;
  assign next_sees = (row_sees == columns_q) ? columns_q : row_sees + 1'b1;

  logic full_beat, last_lane, last_row_lane, last_beat, last_row, last_group;
  logic [CountW-1:0] width, count, sees;
  assign full_beat = left_q > LineW'(Lanes);
  assign last_lane = lane_q == LaneW'(Lanes - 1);
  assign last_row_lane = row_lane_q == LaneW'(Lanes - 1);
  assign last_beat = (state_q == Values) ? left_q == LineW'(1) : !full_beat;
  assign last_row = rows_left == LineW'(1);
  assign width = group_width(width_left_q);
  assign last_group = width_left_q <= WidthW'(ValueColumns);
  assign count = full_beat ? CountW'(Lanes) : CountW'(left_q);
  assign sees = (beat_sees > LineW'(Lanes)) ? CountW'(Lanes) : CountW'(beat_sees);

  // ------------------------------------------------ issue: slots

  logic take_elements, row_ends, gives_kernel, gives_out;
  logic launch, launch_out, issue;
  logic [CountW-1:0] launch_words;
  assign take_elements = take && state_q == Elements;
  assign row_ends = take_elements && !full_beat;
  assign gives_kernel = kernel_wanted_q && first_group_q;
  assign gives_out = width_left_q != '0;
  assign issue = out_waits_q && credit;
  assign launch_out = issue || !gives_kernel;
  assign launch = issue || (take_elements && gives_kernel) || (row_ends && !gives_kernel);
  // Only outs of the first group wait.
  always_comb begin
    if (issue) launch_words = first_width_q;
    else launch_words = gives_kernel ? count : width;
  end

  // ------------------------------------------------ issue: next state

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      out_waits_q <= 1'b0;
      credits_q <= CreditW'(Credits);
    end else begin
      credits_q <= credits_q - CreditW'(launch) + CreditW'(give);
      if (issue) out_waits_q <= 1'b0;
      else if (row_ends && gives_kernel && gives_out) out_waits_q <= 1'b1;
      unique case (state_q)
        Idle: begin
          if (take_command) begin
            if (!command_i[55]) state_q <= ColumnScalings;
            else state_q <= (value_width == '0) ? Elements : Values;
          end
        end
        ColumnScalings: if (take && last_beat) state_q <= RowScalings;
        RowScalings: if (take && last_beat) state_q <= gives_out ? Values : Elements;
        Values: if (take && last_beat) state_q <= Elements;
        Elements: if (row_ends && last_row) state_q <= last_group ? Drain : Values;
        default: begin
          if (give && !out_waits_q && credits_q == CreditW'(Credits - 1)) state_q <= Idle;
        end
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_command) begin
      left_q <= command_i[42+:LineW];
      part_q <= '0;
      lane_q <= '0;
      width_left_q <= value_width;
      first_group_q <= 1'b1;
    end else if (take) begin
      if (last_beat) begin
        left_q <= (state_q == ColumnScalings) ? rows_q : columns_q;
        part_q <= '0;
        lane_q <= '0;
      end else if (state_q == Values) begin
        left_q <= left_q - 1'b1;
        part_q <= part_q + PartW'(last_lane);
        lane_q <= last_lane ? '0 : lane_q + 1'b1;
      end else begin
        left_q <= left_q - LineW'(Lanes);
        part_q <= part_q + 1'b1;
      end
    end
    if (row_ends && last_row) begin
      width_left_q <= width_left_q - WidthW'(ValueColumns);
      first_group_q <= 1'b0;
    end

    if (state_q != Elements) begin
      group_begins_q <= 1'b1;
      row_begins_q <= 1'b1;
      row_part_q <= '0;
      row_lane_q <= '0;
    end else if (take) begin
      group_begins_q <= 1'b0;
      row_begins_q <= last_beat;
      if (last_beat) begin
        rows_left_q <= rows_left - 1'b1;
        row_sees_q <= next_sees;
        sees_q <= next_sees;
        row_part_q <= row_part_q + PartW'(last_row_lane);
        row_lane_q <= last_row_lane ? '0 : row_lane_q + 1'b1;
      end else begin
        rows_left_q <= rows_left;
        row_sees_q <= row_sees;
        sees_q <= (beat_sees > LineW'(Lanes)) ? beat_sees - LineW'(Lanes) : '0;
      end
    end
  end

  // ------------------------------------------------ what travels with a beat

  // A beat taken in cycle c has its values of stage k in cycle c + k.
  logic [14:1] elements_q, ends_q;
  logic [6:1] values_q;
  logic [12:1] begins_q;
  logic [7:1] kernel_q;  // K is wanted.
  logic [5:1] restore_q;
  logic [PartW-1:0] parts_q[1:6];
  logic [LaneW-1:0] lanes_q[1:6];
  logic [CountW-1:0] counts_q[1:6];  // Words: visible elements, or codes of V.
  logic [PartW-1:0] row_parts_q;
  logic [LaneW-1:0] row_lanes_q[1:2];

  logic take_values, restore;
  assign take_values = take && state_q == Values;
  assign restore = take_values || (take_elements && held_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      elements_q <= '0;
      values_q <= '0;
    end else begin
      elements_q <= {elements_q[13:1], take_elements};
      values_q <= {values_q[5:1], take_values};
    end
  end

  always_ff @(posedge clk_i) begin
    ends_q <= {ends_q[13:1], !full_beat};
    begins_q <= {begins_q[11:1], row_begins_q};
    kernel_q <= {kernel_q[6:1], gives_kernel};
    restore_q <= {restore_q[4:1], restore};
    parts_q[1] <= part_q;
    lanes_q[1] <= lane_q;
    counts_q[1] <= take_values ? width : sees;
    for (int unsigned k = 2; k <= 6; k++) begin
      parts_q[k] <= parts_q[k-1];
      lanes_q[k] <= lanes_q[k-1];
      counts_q[k] <= counts_q[k-1];
    end
    row_parts_q <= row_part_q;
    row_lanes_q[1] <= row_lane_q;
    row_lanes_q[2] <= row_lanes_q[1];
  end

  // Rows of V wait for the elements before them, and held K for the codes that
  // it takes the place of: in c + 6.
  logic [2:0] turn_q;
  logic [BeatWords*32-1:0] waited;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) turn_q <= '0;
    else turn_q <= turn_q + 1'b1;
  end
  prim_sram #(
    .Width(BeatWords * 32),
    .Depth(8)
  ) u_waiting (
    .clk_i,
    .write_i     (restore),
    .write_addr_i(turn_q),
    .write_data_i(input_data_i),
    .read_i      (restore_q[5]),
    .read_addr_i (turn_q - 3'd5),
    .read_data_o (waited)
  );

  // ------------------------------------------------ scalings

  logic [Lanes*32-1:0] column_scalings, row_scalings;
  prim_sram #(
    .Width(Lanes * 32),
    .Depth(Parts)
  ) u_column_scalings (
    .clk_i,
    .write_i     (take && state_q == ColumnScalings),
    .write_addr_i(part_q),
    .write_data_i(input_data_i[Lanes*32-1:0]),
    .read_i      (elements_q[2]),
    .read_addr_i (parts_q[2]),
    .read_data_o (column_scalings)
  );
  prim_sram #(
    .Width(Lanes * 32),
    .Depth(Parts)
  ) u_row_scalings (
    .clk_i,
    .write_i     (take && state_q == RowScalings),
    .write_addr_i(part_q),
    .write_data_i(input_data_i[Lanes*32-1:0]),
    .read_i      (elements_q[1] && begins_q[1]),
    .read_addr_i (row_parts_q),
    .read_data_o (row_scalings)
  );

  logic [31:0] row_scaling_q;
  always_ff @(posedge clk_i) begin
    if (elements_q[2] && begins_q[2]) row_scaling_q <= row_scalings[row_lanes_q[2]*32+:32];
  end

  // ------------------------------------------------ K, products

  logic [Lanes*32-1:0] kernel;
  logic [ValueBitW-1:0] value_bit;
  assign value_bit = ValueBitW'(lanes_q[6]) * ValueBitW'(20);
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    sinkhorn_apply_lane u_lane (
      .clk_i,
      .wide_i          (wide_q),
      .held_i          (held_q),
      .mantissa_i      (mantissa_q),
      .shift_i         (shift_q),
      .fraction_bits_i (fraction_bits_q),
      .half_i          (input_data_i[lane*16+:16]),
      .word_i          (input_data_i[lane*32+:32]),
      .row_scaling_i   (row_scaling_q),
      .column_scaling_i(column_scalings[lane*32+:32]),
      .visible_i       (CountW'(lane) < counts_q[6]),
      .held_word_i     (waited[lane*32+:32]),
      .kernel_o        (kernel[lane*32+:32])
    );
  end

  logic [ValueColumns*32-1:0] out;
  for (genvar column = 0; column < ValueColumns; column++) begin : gen_column
    sinkhorn_apply_column #(
      .Lanes   (Lanes),
      .MaxLines(MaxLines)
    ) u_column (
      .clk_i,
      .write_i     (values_q[6]),
      .bit_i       (value_bit),
      .value_size_i(value_size_q),
      .byte_i      (waited[column*8+:8]),
      .half_i      (waited[column*16+:16]),
      .word_i      (waited[column*32+:20]),
      .inside_i    (CountW'(column) < counts_q[6]),
      .read_i      (elements_q[6]),
      .part_i      (parts_q[6]),
      .kernel_i    (kernel),
      .active_i    ({elements_q[13] && ends_q[13], elements_q[12:7]}),
      .first_i     (begins_q[12]),
      .out_o       (out[column*32+:32])
    );
  end

  // ------------------------------------------------ output

  logic out_wanted;
  // A group without columns has no out; its rows end the command.
  assign out_wanted = first_width_q != '0;

  sinkhorn_apply_output #(
    .KernelW(Lanes * 32),
    .OutW   (ValueColumns * 32),
    .Latency(Latency),
    .Depth  (Credits)
  ) u_output (
    .clk_i,
    .rst_ni,
    .launch_i      (launch),
    .launch_out_i  (launch_out),
    .launch_bytes_i({launch_words, 2'b00}),
    .kernel_write_i(elements_q[7] && kernel_q[7]),
    .kernel_i      (kernel),
    .out_write_i   (elements_q[14] && ends_q[14] && out_wanted),
    .out_i         (out),
    .valid_o       (output_valid_o),
    .ready_i       (output_ready_i),
    .data_o        (output_data_o),
    .bytes_o       (output_bytes_o)
  );

`ifndef SYNTHESIS
  LaunchHasCredit: assert property (@(posedge clk_i) disable iff (!rst_ni) launch |-> credit);
  NoCreditBeyond: assert property (@(posedge clk_i) disable iff (!rst_ni)
      credits_q <= CreditW'(Credits));
  IdleIsEmpty: assert property (@(posedge clk_i) disable iff (!rst_ni)
      command_ready_o |-> credits_q == CreditW'(Credits) && !out_waits_q);
`endif

endmodule
