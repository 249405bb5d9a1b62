package org.fhirstack.server.fhir;

import ca.uhn.fhir.interceptor.api.Hook;
import ca.uhn.fhir.interceptor.api.Interceptor;
import ca.uhn.fhir.interceptor.api.Pointcut;
import ca.uhn.fhir.parser.DataFormatException;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import java.sql.SQLException;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.hl7.fhir.exceptions.FHIRException;
import org.springframework.dao.InvalidDataAccessApiUsageException;

/**
 * Answers 400 where HAPI 8.8 answers 500 to what only the sender can mend: a number that is none, a narrative that is no
 * div, a position, a value that the database does not hold. A client takes 500 for a fault that passes, and tries for ever.
 */
@Interceptor
public class ClientFaults {
    private static final int DEEPEST_CAUSE = 20;
    /** HAPI's number for a position in {@code near} that it cannot read. */
    private static final String NO_POSITION = "HAPI-1230";
    /** SQLSTATE of PostgreSQL, class "data exception". */
    private static final String DATA_EXCEPTION = "22";
    /** The same in words: of a search, which another thread does, HAPI keeps the message alone. */
    private static final Pattern DATA_MESSAGE =
            Pattern.compile("(?s)ERROR: (invalid byte sequence for encoding|.* is out of range for type ).*");

    /** Returns null where HAPI's own answer stands. */
    @Hook(Pointcut.SERVER_PRE_PROCESS_OUTGOING_EXCEPTION)
    public BaseServerResponseException mended(Throwable thrown) {
        if (thrown instanceof BaseServerResponseException known && known.getStatusCode() < 500) {
            return null;
        }
        return Stream.iterate(thrown, cause -> cause != null, Throwable::getCause)
                .limit(DEEPEST_CAUSE)
                .flatMap(cause -> fault(cause).stream())
                .findFirst()
                .map(text -> new InvalidRequestException(text, thrown))
                .orElse(null);
    }

    private static Optional<String> fault(Throwable cause) {
        String text = String.valueOf(cause.getMessage());
        if (DATA_MESSAGE.matcher(text).matches()
                || cause instanceof SQLException sql
                        && String.valueOf(sql.getSQLState()).startsWith(DATA_EXCEPTION)) {
            return Optional.of("A value of the request is none that the database can hold.");
        }
        if (cause instanceof NumberFormatException) {
            return Optional.of("A value of the request must be a number: " + text);
        }
        boolean unreadable = cause instanceof DataFormatException
                || cause instanceof FHIRException
                || cause instanceof InvalidDataAccessApiUsageException
                || text.startsWith(NO_POSITION);
        return unreadable ? Optional.of(text) : Optional.empty();
    }
}
